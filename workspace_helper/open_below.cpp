#include "open_below.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// What tells a mount where there is no openat2, and only there: a subvolume of btrfs, which whoever
// may write to a directory can make in it, has a device of its own and is no mount.
bool has_device_of(int parent, int below) {
  struct stat above = {};
  struct stat facts = {};
  if (::fstat(parent, &above) != 0 || ::fstat(below, &facts) != 0) return false;
  return above.st_dev == facts.st_dev;
}

}  // namespace

int open_below(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  const long below = ::syscall(SYS_openat2, parent, name, &how, sizeof how);
  if (below >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(below);
  const int opened = ::openat(parent, name, kFlags);
  if (opened < 0 || has_device_of(parent, opened)) return opened;
  ::close(opened);
  errno = EXDEV;
  return -1;
}

int open_root(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const auto slash = path.rfind('/');
  const std::string above = slash == std::string::npos ? "." : path.substr(0, slash) + "/";
  const int parent = ::open(above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return -1;
  const int root = open_below(parent, path.c_str() + (slash == std::string::npos ? 0 : slash + 1));
  const int failure = errno;
  ::close(parent);
  errno = failure;
  return root;
}
