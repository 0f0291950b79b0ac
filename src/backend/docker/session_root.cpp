#include "backend/docker/session_root.hpp"

#include "backend/docker/way_out.hpp"
#include "backend/docker/workspace_base_dir.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

// Of the directory above what a session's agent may write to: a program that it leaves there with
// the set-user-id bit is then nobody's to run. Whoever gets there is the owner or root: the relay,
// its helper, and the Engine that mounts.
constexpr mode_t kRelayAlone = 0700;

std::string marker_of(const std::string& instance) { return instance + "\n"; }

Error cannot_read(const std::string& marker, int failure) {
  Error error = workspace_unavailable("cannot read", marker, failure);
  error.recoverable = failure != EACCES && failure != EPERM;
  return error;
}

// From now on. Some file systems have no such thing.
bool is_on_disk(int file) { return ::fsync(file) == 0 || errno == EINVAL; }

// It is on the disk when this returns.
Result<void> write_file(const std::string& path, const std::string& content) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return workspace_unavailable("cannot write", path, errno);
  const ssize_t written = ::write(file.get(), content.data(), content.size());
  if (written < 0) return workspace_unavailable("cannot write", path, errno);
  if (static_cast<std::size_t>(written) != content.size()) {
    return workspace_unavailable("cannot write", path, ENOSPC);
  }
  ::fchmod(file.get(), 0644);  // whatever the umask
  if (!is_on_disk(file.get())) return workspace_unavailable("cannot write", path, errno);
  return Result<void>();
}

}  // namespace

Result<void> make_half_root(const SessionDirectories& half, const std::string& instance,
                            const std::string& hosts) {
  if (::mkdir(half.root.c_str(), kRelayAlone) != 0) {
    return workspace_unavailable("cannot make", half.root, errno);
  }
  ::chmod(half.root.c_str(), kRelayAlone);  // whatever the umask
  auto written = write_file(half.marker, marker_of(instance));
  if (written) written = write_file(half.hosts, hosts);
  if (!written) return written;
  const UniqueFd directory(::open(half.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool is_kept = directory && is_on_disk(directory.get());
  return is_kept ? Result<void>() : workspace_unavailable("cannot write", half.root, errno);
}

Result<bool> is_of_instance(const SessionDirectories& directories, const std::string& instance) {
  const UniqueFd file(::open(directories.marker.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return false;
  if (!file) return cannot_read(directories.marker, errno);
  const std::string own = marker_of(instance);
  std::string text(own.size() + 1, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return cannot_read(directories.marker, errno);
  text.resize(static_cast<std::size_t>(size));
  return text == own;
}

bool is_own_file(const std::string& path) {
  struct stat owner = {};
  return ::lstat(path.c_str(), &owner) != 0 || owner.st_uid == ::geteuid();
}

Result<SessionRoot> look_at_root(const SessionDirectories& directories,
                                 const std::string& instance) {
  std::error_code failure;
  const fs::file_type type = fs::symlink_status(directories.root, failure).type();
  if (type == fs::file_type::none) {
    return workspace_unavailable("cannot look at", directories.root, failure.value()).retryable();
  }
  SessionRoot found;
  if (type == fs::file_type::not_found) return found;
  const auto ours = is_of_instance(directories, instance);
  if (!ours) return ours.error();
  found.is_there = true;
  found.is_of_instance = *ours;
  found.is_own_within = is_own_file(directories.workspace) && is_own_file(directories.home);
  return found;
}

int remove_root(const SessionDirectories& directories, const SessionDirectories& half) {
  // It has gone already where an attempt that was given up went on.
  if (::rename(directories.root.c_str(), half.root.c_str()) != 0 && errno != ENOENT) return errno;
  return remove_half_root(half);
}

int remove_half_root(const SessionDirectories& half) {
  if (const int error = remove_way_out(half); error != 0) return error;
  ::unlink(half.hosts.c_str());
  ::unlink(half.marker.c_str());
  return ::rmdir(half.root.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

}  // namespace relay
