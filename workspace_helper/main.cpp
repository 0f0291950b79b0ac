// acp-workspace-helper: makes and removes the directories of a session with rights that the relay
// may not have itself.
//
//   acp-workspace-helper make UID GID DIRECTORY...   each mode 0700, owned by UID:GID
//   acp-workspace-helper remove DIRECTORY...         with all that is in them
//
// The relay runs it as a child process, or as root in a container of its own with nothing but the
// session's directory mounted; therefore it is one static program without libraries beside it. It
// follows no symbolic link and stays on the file system that it was given, however deep a tree is.
// Ends with 0, or with 1 and the first failure on stderr.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

int failed(const char* what, const char* path, int error) {
  std::fprintf(stderr, "%s %s: %s\n", what, path, std::strerror(error));
  return 1;
}

int make(uid_t uid, gid_t gid, char** directories) {
  for (char** directory = directories; *directory != nullptr; ++directory) {
    if (::mkdir(*directory, 0700) != 0) return failed("cannot make", *directory, errno);
    if (::lchown(*directory, uid, gid) != 0) return failed("cannot give away", *directory, errno);
  }
  return 0;
}

// One open directory at a time, and the way back: neither descriptors nor the length of paths limit
// how deep a tree may be.
class TreeRemoval {
 public:
  // 0, or the errno of what could not be removed.
  int run(const char* root) {
    int top = ::open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0 && errno == EACCES && ::chmod(root, 0700) == 0) {
      top = ::open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (top < 0) return errno == ENOENT ? 0 : errno;
    struct stat facts = {};
    if (::fstat(top, &facts) != 0) return errno;
    device_ = facts.st_dev;
    here_ = top;
    ::fchmod(here_, 0700);
    while (true) {
      int error = empty_until_directory();
      if (error == EISDIR)
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
  struct Step {
    std::string name;
    dev_t device;
    ino_t inode;  // of the directory above
  };

  // Removes what is no directory; EISDIR: `next_` is one.
  int empty_until_directory() {
    DIR* const entries = ::fdopendir(::dup(here_));
    if (entries == nullptr) return errno;
    ::rewinddir(entries);
    int result = 0;
    errno = 0;
    while (const dirent* const entry = ::readdir(entries)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (::unlinkat(here_, entry->d_name, 0) != 0 && errno != ENOENT) {
        result = is_directory(entry->d_name) ? EISDIR : errno;
        next_ = entry->d_name;
        break;
      }
      errno = 0;
    }
    if (result == 0) result = errno;
    ::closedir(entries);
    return result;
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
    struct stat facts = {};
    if (::fstat(here_, &facts) != 0) return errno;
    // A directory that its owner may not read is still the owner's to remove.
    ::fchmodat(here_, next_.c_str(), 0700, 0);
    const int below =
        ::openat(here_, next_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) return errno;
    struct stat child = {};
    if (::fstat(below, &child) != 0) return errno;
    if (child.st_dev != device_) return EXDEV;
    way_.push_back({next_, facts.st_dev, facts.st_ino});
    ::close(here_);
    here_ = below;
    return 0;
  }

  int ascend() {
    const int above = ::openat(here_, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0) return errno;
    struct stat facts = {};
    if (::fstat(above, &facts) != 0) return errno;
    const Step step = std::move(way_.back());
    way_.pop_back();
    if (facts.st_dev != step.device || facts.st_ino != step.inode) return ELOOP;
    ::close(here_);
    here_ = above;
    return ::unlinkat(here_, step.name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
  }

  std::string next_;
  dev_t device_ = 0;
  int here_ = -1;
  std::vector<Step> way_;
};

int remove(char** directories) {
  for (char** directory = directories; *directory != nullptr; ++directory) {
    const int error = TreeRemoval().run(*directory);
    if (error != 0) return failed("cannot remove everything in", *directory, error);
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count >= 5 && std::strcmp(arguments[1], "make") == 0) {
    const auto uid = static_cast<uid_t>(std::strtoul(arguments[2], nullptr, 10));
    const auto gid = static_cast<gid_t>(std::strtoul(arguments[3], nullptr, 10));
    return make(uid, gid, arguments + 4);
  }
  if (count >= 3 && std::strcmp(arguments[1], "remove") == 0) return remove(arguments + 2);
  std::fputs("usage: acp-workspace-helper make UID GID DIRECTORY... | remove DIRECTORY...\n",
             stderr);
  return 2;
}
