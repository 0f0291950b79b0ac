#include "effects.hpp"

#include <climits>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace demo {

namespace {

constexpr std::size_t kMaxFile = 1024 * 1024;
constexpr std::size_t kMebibyte = 1024 * 1024;

std::string resolve(const std::string& cwd, const std::string& path) {
  return path.starts_with('/') ? path : cwd + "/" + path;
}

// 0 or an errno.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// At most kMaxFile bytes. 0 or an errno.
int read_all(const std::string& path, std::string& content) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int failure = 0;
  char piece[4096];
  while (content.size() < kMaxFile) {
    const ssize_t count = ::read(fd, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failure = errno;
    if (count <= 0) break;
    content.append(piece, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return failure;
}

}  // namespace

void write_stderr(std::string_view text) { write_all(STDERR_FILENO, text); }

std::string environment_text() {
  std::string text;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    text += *entry;
    text += '\n';
  }
  return text;
}

std::string process_directory() {
  char path[PATH_MAX];
  return ::getcwd(path, sizeof path) == nullptr ? std::strerror(errno) : path;
}

std::string write_file(const std::string& cwd, const std::string& path, std::string_view text) {
  const std::string target = resolve(cwd, path);
  const int fd = ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return "Cannot write " + target + ": " + std::strerror(errno);
  const int failure = write_all(fd, text);
  ::close(fd);
  if (failure != 0) return "Cannot write " + target + ": " + std::strerror(failure);
  return "Wrote " + std::to_string(text.size()) + " bytes to " + target;
}

std::string read_file(const std::string& cwd, const std::string& path) {
  const std::string source = resolve(cwd, path);
  std::string content;
  const int failure = read_all(source, content);
  if (failure != 0) return "Cannot read " + source + ": " + std::strerror(failure);
  return content;
}

bool has_memory_limit() {
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::string content;
    if (read_all(file, content) != 0) continue;
    // Version 1 writes a number near 2^63 when there is no limit.
    const auto limit = std::strtoull(content.c_str(), nullptr, 10);
    return limit != 0 && limit < (1ULL << 60U);
  }
  return false;
}

bool touch_memory(std::uint64_t mebibytes) {
  std::vector<void*> pieces;
  bool given = true;
  for (std::uint64_t i = 0; given && (mebibytes == 0 || i < mebibytes); ++i) {
    void* piece = std::malloc(kMebibyte);
    given = piece != nullptr;
    if (!given) break;
    std::memset(piece, 1, kMebibyte);
    pieces.push_back(piece);
  }
  for (void* piece : pieces) std::free(piece);
  return given;
}

}  // namespace demo
