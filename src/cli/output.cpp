#include "cli/output.hpp"

#include <cerrno>
#include <poll.h>
#include <unistd.h>

namespace relay::cli {

Output::Output(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {}

bool Output::write(std::string_view text) {
  while (!text.empty() && !broken_) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // whoever started us shares a non-blocking description
      pollfd waiting{fd_, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  return !broken_;
}

}  // namespace relay::cli
