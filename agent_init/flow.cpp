#include "flow.hpp"

#include <cerrno>
#include <sys/socket.h>

namespace {

char thrown_away[Flow::kBufferBytes];

bool is_for_later(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

Broken Flow::read(int source, int target) {
  const ssize_t got =
      ::recv(source, thrown_away_ ? thrown_away : buffer_, kBufferBytes, MSG_DONTWAIT);
  if (got < 0) return is_for_later(errno) ? Broken::kNone : Broken::kSource;
  if (got == 0) end(target);
  if (got == 0 || thrown_away_) return Broken::kNone;
  begin_ = 0;
  end_ = static_cast<std::size_t>(got);
  return write(target);
}

Broken Flow::write(int target) {
  const ssize_t put = ::send(target, buffer_ + begin_, end_ - begin_, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put < 0) return is_for_later(errno) ? Broken::kNone : Broken::kTarget;
  begin_ += static_cast<std::size_t>(put);
  return Broken::kNone;
}

void Flow::throw_away() {
  begin_ = end_;
  thrown_away_ = true;
}

void Flow::end(int target) {
  begin_ = end_;
  ended_ = true;
  if (!thrown_away_) ::shutdown(target, SHUT_WR);
}
