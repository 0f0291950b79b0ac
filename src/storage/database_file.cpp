#include "storage/database_file.hpp"

#include "storage/migrations.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>

namespace relay::storage {
namespace {

constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kHeaderSize = 100;
// Positions of the big-endian marks in the header, from SQLite's description of its file format.
constexpr std::size_t kVersionAt = 60;
constexpr std::size_t kApplicationIdAt = 68;

std::string reason(int error) { return std::generic_category().message(error); }

Error unusable(const std::string& path, const std::string& why) {
  return make_error(ErrorType::kInternalError, "cannot write the database " + path + ": " + why)
      .suggest("set database.path to a file in a directory that the relay may write")
      .with("path", path);
}

std::int64_t big_endian(const std::array<unsigned char, kHeaderSize>& header, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t byte = 0; byte < 4; ++byte) value = value << 8 | header[at + byte];
  return value;
}

std::string holder_of(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  std::string pid;
  for (ssize_t at = 0; at < size && text[static_cast<std::size_t>(at)] != '\n'; ++at) {
    pid += text[static_cast<std::size_t>(at)];
  }
  return pid.empty() ? "unknown" : pid;
}

Error in_use(const std::string& path, int lock) {
  const std::string pid = holder_of(lock);
  return make_error(ErrorType::kInternalError,
                    "the database " + path + " is in use by process " + pid)
      .because("another relay runs with the same database.path")
      .suggest("stop process " + pid + ", or set database.path to another file")
      .with("path", path)
      .with("pid", pid);
}

std::string directory_of(const std::string& path) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  return directory.empty() ? "." : directory.string();
}

// 0 or an errno, from a file without a name; file systems that know none are asked for permission.
int making_fails(const std::string& directory) {
  const UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return 0;
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno;
  return ::access(directory.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
}

Result<void> check_directory(const std::string& path) {
  const std::string directory = directory_of(path);
  std::error_code failure;
  const auto status = std::filesystem::status(directory, failure);
  if (std::filesystem::is_directory(status)) return {};
  const std::string why = std::filesystem::exists(status)
                              ? directory + " is not a directory"
                              : "the directory " + directory + " does not exist";
  return unusable(path, why).suggest("make it: mkdir -p '" + directory + "'");
}

}  // namespace

Result<void> check_database_file(const std::string& path) {
  auto directory = check_directory(path);
  if (!directory) return directory;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return unusable(path, reason(errno));
  }
  if (!S_ISREG(status.st_mode)) return unusable(path, "it is not a regular file");
  if (status.st_size == 0) return {};

  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return unusable(path, reason(errno));
  std::array<unsigned char, kHeaderSize> header{};
  const ssize_t got = ::read(file.get(), header.data(), header.size());
  if (got != static_cast<ssize_t>(header.size()) ||
      std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    return make_error(ErrorType::kInternalError, "the file " + path + " is not a database")
        .suggest("set database.path to a file that does not exist yet, or move this one away")
        .with("path", path);
  }
  return check_marks(big_endian(header, kApplicationIdAt), big_endian(header, kVersionAt), path);
}

Result<UniqueFd> lock_database(const std::string& path) {
  const std::string lock_path = path + ".lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return unusable(path, "cannot make " + lock_path + ": " + reason(errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return unusable(path, "cannot lock it: " + reason(errno));
    return in_use(path, lock.get());
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 ||
      ::pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return unusable(path, "cannot write " + lock_path + ": " + reason(errno));
  }
  return lock;
}

Result<void> check_usable(const std::string& path) {
  auto checked = check_database_file(path);
  if (!checked) return checked;
  const UniqueFd lock(::open((path + ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return in_use(path, lock.get());
  }
  const std::string directory = directory_of(path);
  if (const int failure = making_fails(directory)) {
    return unusable(path, directory + ": " + reason(failure));
  }
  if (::access(path.c_str(), R_OK | W_OK) != 0 && errno != ENOENT) {
    return unusable(path, reason(errno));
  }
  return {};
}

Result<void> make_writable_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return unusable(path, reason(errno));
  return {};
}

}  // namespace relay::storage
