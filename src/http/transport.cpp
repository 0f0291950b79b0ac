#include "http/transport.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace relay::http {

Transport::~Transport() { close(); }

Task<IoState> Transport::handshake() {
  for (;;) {
    const IoStep step = tls_->handshake();
    if (step.state == IoState::kDone) co_return IoState::kDone;
    if (!would_block(step.state)) co_return IoState::kFailed;
    const auto [failure] = co_await wait(step.state);
    // A cancellation does not reach who is about to go on; a socket that is closed does.
    if (failure || !socket_.is_open()) co_return IoState::kFailed;
  }
}

IoStep Transport::try_read(std::span<char> buffer) {
  if (!socket_.is_open()) return {IoState::kFailed};
  if (tls_) return tls_->read(buffer);
  for (;;) {
    const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      const auto bytes = static_cast<std::size_t>(got);
      return {IoState::kDone, bytes, bytes == buffer.size()};
    }
    if (got == 0) return {IoState::kEnd};
    if (errno == EINTR) continue;
    return {is_temporary(errno) ? IoState::kWaitRead : IoState::kFailed};
  }
}

bool Transport::has_hung_up() {
  if (!socket_.is_open()) return true;
  pollfd one{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&one, 1, 0) == 1;
}

bool Transport::is_quiet() {
  std::array<char, 1> byte{};
  if (!socket_.is_open() || (tls_ && tls_->has_unread())) return false;
  const ssize_t got =
      ::recv(socket_.native_handle(), byte.data(), byte.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && is_temporary(errno)) return true;
  return got > 0 && tls_ && would_block(tls_->read(byte).state) && !tls_->has_unread();
}

IoStep Transport::try_write(std::span<const iovec> parts) {
  if (!socket_.is_open()) return {IoState::kFailed};
  if (tls_) {
    std::size_t total = 0;
    for (const iovec& part : parts) {
      std::string_view left(static_cast<const char*>(part.iov_base), part.iov_len);
      while (!left.empty()) {
        const IoStep step = tls_->write(left);
        if (step.state != IoState::kDone) {
          return total > 0 && would_block(step.state) ? IoStep{IoState::kDone, total} : step;
        }
        total += step.bytes;
        left.remove_prefix(step.bytes);
      }
    }
    return {IoState::kDone, total};
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  for (;;) {
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return {IoState::kDone, static_cast<std::size_t>(sent)};
    if (errno == EINTR) continue;
    return {is_temporary(errno) ? IoState::kWaitWrite : IoState::kFailed};
  }
}

Task<std::tuple<boost::system::error_code>> Transport::wait(IoState state) {
  return socket_.async_wait(state == IoState::kWaitWrite ? Socket::wait_write : Socket::wait_read,
                            kNoThrow);
}

Task<void> Transport::wait_for_failure() {
  [[maybe_unused]] const auto [failure] = co_await socket_.async_wait(Socket::wait_error, kNoThrow);
}

Task<bool> Transport::write_all(std::span<const std::string_view> parts,
                                const std::function<void()>& on_wait) {
  std::array<iovec, 8> storage{};
  std::size_t count = 0;
  for (const std::string_view part : parts) {
    if (part.empty() || count == storage.size()) continue;
    storage[count++] = {const_cast<char*>(part.data()), part.size()};
  }
  std::span<iovec> left = std::span(storage).first(count);
  while (!left.empty()) {
    const IoStep step = try_write(left);
    if (step.state == IoState::kDone) {
      left = advance(left, step.bytes);
      continue;
    }
    if (!would_block(step.state)) co_return false;
    if (on_wait) on_wait();
    const auto [failure] = co_await wait(step.state);
    if (failure) co_return false;
  }
  co_return true;
}

void Transport::cancel() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Transport::shutdown_send() {
  if (!socket_.is_open()) return;
  if (tls_) tls_->shutdown();
  ::shutdown(socket_.native_handle(), SHUT_WR);
}

void Transport::close() {
  if (!socket_.is_open()) return;
  if (tls_) tls_->shutdown();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Transport::reset() {
  if (!socket_.is_open()) return;
  const linger at_once{1, 0};
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  boost::system::error_code ignored;
  socket_.close(ignored);
}

std::span<iovec> advance(std::span<iovec> parts, std::size_t bytes) {
  while (!parts.empty() && bytes >= parts.front().iov_len) {
    bytes -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (!parts.empty()) {
    parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + bytes;
    parts.front().iov_len -= bytes;
  }
  return parts;
}

}  // namespace relay::http
