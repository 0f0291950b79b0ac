#include "carrier.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using carried::Kind;

constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;

bool is_for_later(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

Carrier::Carrier(Poller& poller, int listener, int max_connections)
    : poller_(poller),
      listener_(listener),
      most_(static_cast<std::size_t>(max_connections)),
      connections_(most_),
      // The last frame may begin just below the bound, and each connection may end both ways then.
      out_(kOutgoing + carried::kHeadBytes + carried::kMaxData + 2 * carried::kHeadBytes * most_) {}

bool Carrier::start(int input, int output) {
  void* const buffers = ::mmap(nullptr, most_ * carried::kWindow, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (buffers == MAP_FAILED) return false;
  buffers_ = static_cast<char*>(buffers);
  input_ = input;
  output_ = output;
  append({0, Kind::kReady, carried::kVersion});
  return poller_.watch(input_, kInputTag, input_watched_, EPOLLIN) && flush();
}

bool Carrier::attend(std::uint64_t tag, std::uint32_t events) {
  if (tag == kInputTag) return read_input();
  if (tag == kListenerTag) accept();
  if (tag <= kListenerTag) return true;  // flush() writes
  Connection& connection = connections_[static_cast<std::uint32_t>(tag) - kListenerTag - 1];
  // An earlier event of the same turn may have closed it, and may have put another in its place.
  if (connection.peer < 0 || connection.number != tag >> 32) return true;
  if ((events & (EPOLLOUT | kBroken)) != 0) write(connection);
  if ((events & (EPOLLIN | kBroken)) != 0) read(connection);
  if ((events & EPOLLHUP) != 0) stop(connection);  // closed, not only for one direction
  settle(connection);
  return true;
}

bool Carrier::flush() {
  const bool was_full = is_full();
  while (out_begin_ != out_end_) {
    const ssize_t put = ::write(output_, out_.data() + out_begin_, out_end_ - out_begin_);
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0 && errno != EINTR) return false;
    if (put > 0) out_begin_ += static_cast<std::size_t>(put);
  }
  if (out_begin_ == out_end_) out_begin_ = out_end_ = 0;
  if (was_full && !is_full()) {
    for (Connection& connection : connections_) {
      if (connection.peer < 0) continue;
      give_back(connection);
      settle(connection);
    }
  }
  watch_listener();
  return poller_.watch(output_, kOutputTag, output_watched_,
                       out_begin_ == out_end_ ? 0U : EPOLLOUT);
}

void Carrier::resume() {
  is_short_ = false;
  watch_listener();
}

char* Carrier::room(std::size_t bytes) {
  if (out_.size() - out_end_ < bytes) {
    std::memmove(out_.data(), out_.data() + out_begin_, out_end_ - out_begin_);
    out_end_ -= out_begin_;
    out_begin_ = 0;
  }
  return out_.data() + out_end_;
}

void Carrier::append(const carried::Head& head) {
  carried::put(head, room(carried::kHeadBytes));
  out_end_ += carried::kHeadBytes;
}

void Carrier::watch_listener() {
  const bool is_welcome = !is_short_ && !is_full() && open_ < most_;
  poller_.watch(listener_, kListenerTag, listener_watched_, is_welcome ? EPOLLIN : 0U);
}

void Carrier::accept() {
  if (is_full() || open_ == most_) return;
  const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (peer < 0) {
    is_short_ = !is_for_later(errno) && errno != ECONNABORTED;
    return watch_listener();
  }
  std::size_t index = 0;
  while (connections_[index].peer >= 0) ++index;
  ++open_;
  Connection& connection = connections_[index];
  connection = {};
  connection.peer = peer;
  connection.number = ++last_number_;
  append({connection.number, Kind::kOpen, 0});
  settle(connection);
}

bool Carrier::read_input() {
  char bytes[carried::kHeadBytes + carried::kMaxData];
  const ssize_t got = ::read(input_, bytes, sizeof bytes);
  if (got < 0) return is_for_later(errno);
  return got > 0 && take(bytes, static_cast<std::size_t>(got));
}

bool Carrier::take(const char* bytes, std::size_t count) {
  while (count > 0) {
    std::size_t used = 0;
    if (data_left_ > 0) {
      used = std::min(count, data_left_);
      data_left_ -= used;
      if (!take_data(bytes, used)) return false;
    } else {
      used = std::min(count, carried::kHeadBytes - head_bytes_);
      std::memcpy(head_ + head_bytes_, bytes, used);
      head_bytes_ += used;
      if (head_bytes_ == carried::kHeadBytes && !take_head()) return false;
    }
    bytes += used;
    count -= used;
  }
  return true;
}

Carrier::Connection* Carrier::find(std::uint32_t number) {
  const auto found = std::find_if(
      connections_.begin(), connections_.end(),
      [number](const Connection& one) { return one.peer >= 0 && one.number == number; });
  return found == connections_.end() ? nullptr : &*found;
}

bool Carrier::take_head() {
  head_bytes_ = 0;
  if (!carried::get(head_, current_)) return false;
  if (current_.kind == Kind::kReady || current_.kind == Kind::kOpen) return false;
  if (current_.kind == Kind::kData) {
    data_left_ = current_.length;
    return true;
  }
  Connection* const connection = find(current_.connection);
  if (connection == nullptr) return true;
  if (current_.kind == Kind::kCredit) {
    connection->credit += current_.length;
    if (connection->credit > carried::kWindow) return false;
  } else if (current_.kind == Kind::kStop) {
    // The peer hears of it when it goes on.
    if (!connection->says_no_more) ::shutdown(connection->peer, SHUT_RD);
    connection->says_no_more = true;
  } else {
    connection->is_ended = true;
    write(*connection);
  }
  settle(*connection);
  return true;
}

bool Carrier::take_data(const char* bytes, std::size_t count) {
  Connection* const connection = find(current_.connection);
  if (connection == nullptr || connection->takes_no_more || connection->is_ended) return true;
  Connection& to = *connection;
  if (count > carried::kWindow - to.taken - (to.end - to.begin)) return false;
  char* const buffer = buffer_of(to);
  if (carried::kWindow - to.end < count) {
    std::memmove(buffer, buffer + to.begin, to.end - to.begin);
    to.end -= to.begin;
    to.begin = 0;
  }
  std::memcpy(buffer + to.end, bytes, count);
  to.end += count;
  write(to);
  settle(to);
  return true;
}

void Carrier::read(Connection& connection) {
  if (!wants_to_read(connection)) return;
  const std::size_t most = std::min(carried::kMaxData, connection.credit);
  char* const frame = room(carried::kHeadBytes + most);
  const ssize_t got = ::recv(connection.peer, frame + carried::kHeadBytes, most, MSG_DONTWAIT);
  if (got < 0 && is_for_later(errno)) return;
  if (got <= 0) {
    connection.says_no_more = true;
    return append({connection.number, Kind::kEnd, 0});
  }
  const auto count = static_cast<std::uint32_t>(got);
  carried::put({connection.number, Kind::kData, count}, frame);
  out_end_ += carried::kHeadBytes + count;
  connection.credit -= count;
}

void Carrier::write(Connection& connection) {
  if (connection.takes_no_more) return;
  while (connection.begin != connection.end) {
    const ssize_t put = ::send(connection.peer, buffer_of(connection) + connection.begin,
                               connection.end - connection.begin, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && is_for_later(errno)) return give_back(connection);
    if (put < 0) return stop(connection);
    connection.begin += static_cast<std::size_t>(put);
    connection.taken += static_cast<std::size_t>(put);
  }
  connection.begin = connection.end = 0;
  if (connection.is_ended) {
    ::shutdown(connection.peer, SHUT_WR);
    connection.takes_no_more = true;
  }
  give_back(connection);
}

void Carrier::stop(Connection& connection) {
  if (connection.takes_no_more) return;
  connection.begin = connection.end = 0;
  connection.takes_no_more = true;
  append({connection.number, Kind::kStop, 0});
}

void Carrier::give_back(Connection& connection) {
  if (connection.taken < carried::kWindow / 2 || is_full()) return;
  if (connection.takes_no_more || connection.is_ended) return;
  append({connection.number, Kind::kCredit, static_cast<std::uint32_t>(connection.taken)});
  connection.taken = 0;
}

bool Carrier::wants_to_read(const Connection& connection) const {
  return !connection.says_no_more && connection.credit > 0 && !is_full();
}

char* Carrier::buffer_of(const Connection& connection) {
  return buffers_ + carried::kWindow * static_cast<std::size_t>(&connection - connections_.data());
}

void Carrier::settle(Connection& connection) {
  const auto index = static_cast<std::uint64_t>(&connection - connections_.data());
  const std::uint64_t tag = std::uint64_t{connection.number} << 32 | (kListenerTag + 1 + index);
  const std::uint32_t wanted = (wants_to_read(connection) ? EPOLLIN : 0U) |
                               (connection.begin != connection.end ? EPOLLOUT : 0U);
  const bool is_over = connection.says_no_more && connection.takes_no_more;
  if (!is_over && poller_.watch(connection.peer, tag, connection.watched, wanted)) {
    return;
  }
  if (!connection.says_no_more) append({connection.number, Kind::kEnd, 0});
  stop(connection);
  ::close(connection.peer);
  ::madvise(buffer_of(connection), carried::kWindow, MADV_DONTNEED);
  connection = {};
  --open_;
  watch_listener();
}
