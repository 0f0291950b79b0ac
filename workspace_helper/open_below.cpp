#include "open_below.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_below(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  const long below = ::syscall(SYS_openat2, parent, name, &how, sizeof how);
  if (below >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(below);
  return ::openat(parent, name, kFlags);
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
