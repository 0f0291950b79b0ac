#include "client/connection.hpp"

#include "client/messages.hpp"
#include "common/loopback.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace relay::bench {

namespace {

constexpr std::size_t kFirstBufferBytes = 64 * 1024;
constexpr int kAnswerTimeoutMs = 60'000;
constexpr std::size_t kPartsAWrite = 64;

}  // namespace

Connection::Connection(Framing framing, std::uint16_t port)
    : socket_(connect_to(port)), framing_(framing), buffer_(kFirstBufferBytes) {
  set_nonblocking(socket_.get());
  if (framing_ == Framing::kWebSocket) upgrade(port);
}

void Connection::upgrade(std::uint16_t port) {
  const std::string request = upgrade_request(port);
  queue(request);
  flush();
  for (;;) {
    wait_for(POLLIN);
    read_some();
    const std::string_view bytes(buffer_.data(), used_);
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) continue;
    if (!bytes.starts_with("HTTP/1.1 101")) fail("no WebSocket: " + std::string(bytes));
    drop_front(end + 4);
    return;
  }
}

void Connection::flush() {
  std::size_t first = 0;
  if (!unsent_.empty()) {
    for (const std::string_view part : queued_) unsent_.append(part);
    queued_.clear();
    const ssize_t written = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) fail_errno("send");
    if (written > 0) unsent_.erase(0, static_cast<std::size_t>(written));
    return;
  }
  while (first < queued_.size()) {
    std::array<iovec, kPartsAWrite> parts;
    const std::size_t count = std::min(queued_.size() - first, parts.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view part = queued_[first + i];
      parts[i] = {const_cast<char*>(part.data()), part.size()};
    }
    const ssize_t written = ::writev(socket_.get(), parts.data(), static_cast<int>(count));
    if (written < 0 && errno != EAGAIN) fail_errno("writev");
    std::size_t left = written > 0 ? static_cast<std::size_t>(written) : 0;
    const std::size_t last = first + count;
    while (first < last && left >= queued_[first].size()) left -= queued_[first++].size();
    if (first == last) continue;
    unsent_.assign(queued_[first].substr(left));
    for (++first; first < queued_.size(); ++first) unsent_.append(queued_[first]);
  }
  queued_.clear();
}

bool Connection::read_some() {
  if (used_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  const ssize_t got = ::recv(socket_.get(), buffer_.data() + used_, buffer_.size() - used_, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got < 0) fail_errno("recv");
  if (got == 0) fail("the server closed a connection");
  used_ += static_cast<std::size_t>(got);
  return true;
}

void Connection::drop_front(std::size_t size) {
  used_ -= size;
  if (size > 0 && used_ > 0) std::memmove(buffer_.data(), buffer_.data() + size, used_);
  searched_ = used_;
}

void Connection::handle_other(const Decoded& decoded) {
  if (decoded.kind == Decoded::Kind::kPing) {
    const std::string pong = pong_frame(decoded.payload);
    queue(pong);
    flush();
  } else if (decoded.kind == Decoded::Kind::kClosed) {
    const bool has_code = decoded.payload.size() >= 2;
    const std::string reason(decoded.payload.substr(has_code ? 2 : 0));
    fail("the server closed a WebSocket: " + (reason.empty() ? "no reason given" : reason));
  } else if (decoded.kind == Decoded::Kind::kBroken) {
    fail("unexpected answer: " + std::string(decoded.payload));
  }
}

void Connection::wait_for(short events) const {
  pollfd entry{socket_.get(), events, 0};
  const int ready = ::poll(&entry, 1, kAnswerTimeoutMs);
  if (ready == 0) fail("no answer for " + std::to_string(kAnswerTimeoutMs / 1000) + " s");
}

std::string Connection::call(std::string_view method, std::string_view params) {
  const std::uint64_t id = ++last_call_id_;
  const std::string framed = frame(framing_, method, make_request(id, method, params));
  queue(framed);
  flush();
  return answer(id);
}

std::string Connection::answer(std::uint64_t id) {
  std::string answer;
  while (answer.empty()) {
    if (wants_write()) {
      wait_for(POLLIN | POLLOUT);
      flush();
    } else {
      wait_for(POLLIN);
    }
    receive([&](std::string_view json) {
      if (response_id(json) == id) answer = json;
    });
  }
  if (answer.find("\"result\":") == std::string::npos) {
    fail("a request failed: " + answer);
  }
  return answer;
}

}  // namespace relay::bench
