#include "cli/standard_stream.hpp"

#include "base/unique_fd.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace relay::cli {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;

UniqueFd own_descriptor(int fd) {
  struct stat about {};
  const bool is_known = ::fstat(fd, &about) == 0;
  if (is_known && (S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode))) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const int direction = fd == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    UniqueFd fresh(::open(path.c_str(), direction | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fresh) return fresh;
  }
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

}  // namespace

Result<StandardStream> StandardStream::open(const asio::any_io_executor& executor, int fd) {
  const char* name = fd == STDIN_FILENO ? "standard input" : "standard output";
  UniqueFd own = own_descriptor(fd);
  asio::posix::stream_descriptor descriptor(executor);
  boost::system::error_code failure(errno, boost::system::system_category());
  if (own) descriptor.assign(own.get(), failure);
  if (failure && !descriptor.is_open()) {
    return make_error(ErrorType::kInternalError,
                      "cannot use " + std::string(name) + ": " + failure.message());
  }
  own.release();
  return StandardStream(std::move(descriptor));
}

Task<std::string> StandardStream::read() {
  std::string bytes(kReadBytes, '\0');
  const auto [failure, size] = co_await descriptor_.async_read_some(asio::buffer(bytes), kNoThrow);
  bytes.resize(failure ? 0 : size);
  co_return bytes;
}

Task<bool> StandardStream::write(std::string_view bytes) {
  const auto [failure, size] =
      co_await asio::async_write(descriptor_, asio::buffer(bytes), kNoThrow);
  co_return !failure && size == bytes.size();
}

}  // namespace relay::cli
