#include "cli/terminal_reader.hpp"

#include "base/unique_fd.hpp"

#include <boost/asio/buffer.hpp>

#include <array>
#include <fcntl.h>
#include <unistd.h>

namespace relay::cli {
namespace {

constexpr std::size_t kMaxLine = 4096;

}  // namespace

std::unique_ptr<TerminalReader> TerminalReader::open(const asio::any_io_executor& executor,
                                                     bool stdin_is_used) {
  if (::isatty(STDERR_FILENO) != 1) return nullptr;
  const bool stdin_is_terminal = ::isatty(STDIN_FILENO) == 1;
  if (!stdin_is_terminal && !stdin_is_used) return nullptr;
  const char* path = stdin_is_terminal ? "/proc/self/fd/0" : "/dev/tty";
  UniqueFd fd(::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd) return nullptr;
  asio::posix::stream_descriptor descriptor(executor);
  boost::system::error_code error;
  descriptor.assign(fd.get(), error);
  if (error) return nullptr;
  fd.release();
  return std::unique_ptr<TerminalReader>(new TerminalReader(std::move(descriptor)));
}

Task<std::optional<std::string>> TerminalReader::read_line() {
  while (true) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      co_return line;
    }
    if (buffer_.size() > kMaxLine) co_return std::nullopt;
    std::array<char, 512> bytes{};
    const auto [error, size] = co_await descriptor_.async_read_some(asio::buffer(bytes), kNoThrow);
    if (error) co_return std::nullopt;
    buffer_.append(bytes.data(), size);
  }
}

void TerminalReader::interrupt() {
  boost::system::error_code ignored;
  descriptor_.cancel(ignored);
}

}  // namespace relay::cli
