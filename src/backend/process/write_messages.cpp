#include "backend/process/write_messages.hpp"

#include <array>
#include <cerrno>
#include <sys/uio.h>

namespace relay {

namespace {

constexpr std::size_t kMaxParts = 512;  // below IOV_MAX, and 8 KiB of stack

char line_end[] = "\n";

iovec part(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

int write_messages(int fd, std::span<const SharedBytes> messages, WriteProgress& progress) {
  std::array<iovec, kMaxParts> parts;
  std::size_t count = 0;
  std::size_t skip = progress.offset;
  for (std::size_t i = progress.next_message; i < messages.size() && count + 2 <= kMaxParts; ++i) {
    const std::string_view bytes = messages[i].view();
    if (skip < bytes.size()) parts[count++] = part(bytes.substr(skip));
    parts[count++] = {line_end, 1};
    skip = 0;
  }
  ssize_t written = 0;
  do {
    written = ::writev(fd, parts.data(), static_cast<int>(count));
  } while (written < 0 && errno == EINTR);
  if (written < 0) return errno;

  auto left = static_cast<std::size_t>(written);
  while (left > 0) {
    const std::size_t rest = messages[progress.next_message].size() + 1 - progress.offset;
    if (left < rest) {
      progress.offset += left;
      return 0;
    }
    left -= rest;
    progress.offset = 0;
    ++progress.next_message;
  }
  return 0;
}

}  // namespace relay
