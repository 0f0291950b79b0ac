#include "cli/whole_file.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace relay::cli {
namespace {

Failure failed(const std::string& what, const std::string& path, int error) {
  return {ExitCode::kError, "cannot " + what + " " + path + ": " + std::strerror(error)};
}

// Where a link leads; the path itself when there is nothing.
std::string resolved(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string out(real);
  std::free(real);
  return out;
}

}  // namespace

Outcome<WholeFile> WholeFile::open(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return failed("write", path, errno);
    return WholeFile(std::move(fd), {}, path);
  }
  const std::string target = resolved(path);
  std::string temporary = target + ".part-XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return failed("write", path, errno);
  return WholeFile(std::move(fd), std::move(temporary), target);
}

WholeFile::WholeFile(WholeFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      temporary_(std::exchange(other.temporary_, {})),
      path_(std::move(other.path_)) {}

WholeFile::~WholeFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Outcome<void> WholeFile::put() {
  if (temporary_.empty()) return {};
  if (::fsync(fd_.get()) != 0) return failed("write", path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("write", path_, errno);
  temporary_.clear();
  return {};
}

Outcome<std::string> read_whole(const std::string& path, std::size_t limit) {
  const bool is_stdin = path == "-";
  const std::string name = is_stdin ? "standard input" : path;
  UniqueFd file;
  if (!is_stdin) {
    file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return failed("read", name, errno);
  }
  std::string text;
  std::string buffer(256u << 10, '\0');
  while (text.size() <= limit) {
    const ssize_t size = ::read(is_stdin ? STDIN_FILENO : file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("read", name, errno);
    if (size == 0) return text;
    text.append(buffer, 0, static_cast<std::size_t>(size));
  }
  return Failure{ExitCode::kError, name + " has more than " + std::to_string(limit >> 20) +
                                       " MiB\n  what to do:\n    - is it an exported session?"};
}

}  // namespace relay::cli
