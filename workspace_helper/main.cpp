// acp-workspace-helper: makes and removes the directories of a session with rights that the relay
// may not have itself.
//
//   acp-workspace-helper make UID GID DIRECTORY...   each mode 0700, owned by UID:GID; those above
//                                                    a directory stand before it
//   acp-workspace-helper remove DIRECTORY...         with all that is in them
//
// The relay runs it as a child process, or as root in a container of its own with nothing but the
// session's directory mounted; therefore it is one static program without libraries beside it. It
// follows no symbolic link and stays on the file system that it was given, however deep a tree is.
// Ends with 0, or with 1 and the failures on stderr; with 2 when it is called wrongly.

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

int failed(const char* what, const char* path, int error) {
  std::fprintf(stderr, "%s %s: %s\n", what, path, std::strerror(error));
  return 1;
}

// A directory right below `parent`, never through a symbolic link. EXDEV: something is mounted
// there; kernels before 5.6 see that only when it is another file system.
int open_below(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  const long below = ::syscall(SYS_openat2, parent, name, &how, sizeof how);
  if (below >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(below);
  return ::openat(parent, name, kFlags);
}

// A directory by its path, which leads anywhere but for its last part.
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

std::optional<std::uint32_t> id(std::string_view text) {
  constexpr std::uint32_t kLargest = 2147483647;
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size() || number > kLargest) {
    return std::nullopt;
  }
  return number;
}

// Nobody but the caller can reach into a directory before those above it are given away: whoever has
// the user's uid already could put a link in the place of one, and have the next made elsewhere.
int make(uid_t uid, gid_t gid, char** directories) {
  char** end = directories;
  for (; *end != nullptr; ++end) {
    if (::mkdir(*end, 0700) != 0) return failed("cannot make", *end, errno);
  }
  while (end != directories) {
    --end;
    if (::lchown(*end, uid, gid) != 0) return failed("cannot give away", *end, errno);
  }
  return 0;
}

// One open directory at a time, and the way back: neither descriptors nor the length of paths limit
// how deep a tree may be.
class TreeRemoval {
 public:
  // 0, or the errno of what could not be removed.
  int run(const char* root) {
    int top = open_root(root);
    if (top < 0 && errno == EACCES && ::chmod(root, 0700) == 0) top = open_root(root);
    if (top < 0) return errno == ENOENT ? 0 : errno;
    struct stat facts = {};
    if (::fstat(top, &facts) != 0) return errno;
    device_ = facts.st_dev;
    here_ = top;
    ::fchmod(here_, 0700);
    while (true) {
      int error = pending_.empty() ? sweep() : 0;
      if (error == 0 && !pending_.empty())
        error = descend();
      else if (error == 0 && way_.empty())
        break;
      else if (error == 0)
        error = ascend();
      if (error != 0) return error;
    }
    ::close(here_);
    return ::rmdir(root) == 0 || errno == ENOENT ? 0 : errno;
  }

 private:
  // So many subdirectories are noted at a time: reading a directory again for each would take
  // quadratic time.
  static constexpr std::size_t kNoted = 256;

  struct Step {
    std::string name;
    dev_t device;
    ino_t inode;  // of the directory above
    std::vector<std::string> pending;
  };

  // Removes files and empty directories from here, and notes the other directories in `pending_`.
  // None noted: it is empty.
  int sweep() {
    DIR* const entries = ::fdopendir(::dup(here_));
    if (entries == nullptr) return errno;
    ::rewinddir(entries);
    int result = 0;
    errno = 0;
    while (const dirent* const entry = ::readdir(entries)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      result = remove_entry(entry->d_name);
      if (result == ENOTEMPTY || result == EEXIST) {
        pending_.emplace_back(name);
        result = 0;
      }
      if (result != 0 || pending_.size() == kNoted) break;
      errno = 0;
    }
    if (result == 0 && pending_.size() < kNoted) result = errno;
    ::closedir(entries);
    return result;
  }

  int remove_entry(const char* name) const {
    if (::unlinkat(here_, name, 0) == 0 || errno == ENOENT) return 0;
    if (!is_directory(name)) return errno;
    return ::unlinkat(here_, name, AT_REMOVEDIR) == 0 ? 0 : errno;
  }

  bool is_directory(const char* name) const {
    const int before = errno;
    struct stat facts = {};
    const bool yes =
        ::fstatat(here_, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode);
    errno = before;
    return yes;
  }

  int descend() {
    const std::string name = std::move(pending_.back());
    pending_.pop_back();
    struct stat facts = {};
    if (::fstat(here_, &facts) != 0) return errno;
    int below = open_below(here_, name.c_str());
    // A directory that its owner may not read is still the owner's to remove. Root never gets here.
    if (below < 0 && errno == EACCES && ::fchmodat(here_, name.c_str(), 0700, 0) == 0) {
      below = open_below(here_, name.c_str());
    }
    if (below < 0) return errno;
    struct stat child = {};
    if (::fstat(below, &child) != 0) return errno;
    if (child.st_dev != device_) return EXDEV;
    ::fchmod(below, 0700);
    way_.push_back({name, facts.st_dev, facts.st_ino, std::exchange(pending_, {})});
    ::close(here_);
    here_ = below;
    return 0;
  }

  int ascend() {
    const int above = ::openat(here_, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0) return errno;
    struct stat facts = {};
    if (::fstat(above, &facts) != 0) return errno;
    Step step = std::move(way_.back());
    way_.pop_back();
    if (facts.st_dev != step.device || facts.st_ino != step.inode) return ELOOP;
    ::close(here_);
    here_ = above;
    pending_ = std::move(step.pending);
    return ::unlinkat(here_, step.name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
  }

  std::vector<std::string> pending_;  // subdirectories of here_, not empty
  dev_t device_ = 0;
  int here_ = -1;
  std::vector<Step> way_;
};

// One that can't be removed keeps none of the others.
int remove(char** directories) {
  int result = 0;
  for (char** directory = directories; *directory != nullptr; ++directory) {
    const int error = TreeRemoval().run(*directory);
    if (error != 0) result = failed("cannot remove everything in", *directory, error);
  }
  return result;
}

}  // namespace

int main(int count, char** arguments) {
  ::umask(0);
  if (count >= 5 && std::strcmp(arguments[1], "make") == 0) {
    const auto uid = id(arguments[2]);
    const auto gid = id(arguments[3]);
    if (uid && gid) return make(*uid, *gid, arguments + 4);
  }
  if (count >= 3 && std::strcmp(arguments[1], "remove") == 0) return remove(arguments + 2);
  std::fputs("usage: acp-workspace-helper make UID GID DIRECTORY... | remove DIRECTORY...\n",
             stderr);
  return 2;
}
