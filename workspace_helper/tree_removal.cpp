#include "tree_removal.hpp"

#include "open_below.hpp"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

// Its owner may have made a directory one that nobody may write to; a subvolume of btrfs, which
// whoever may write here can make, also read-only as a whole.
void open_up(int directory) {
  if (::fchmod(directory, 0700) == 0 || errno != EROFS) return;
  __u64 flags = 0;
  if (::ioctl(directory, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0) return;
  flags &= ~static_cast<__u64>(BTRFS_SUBVOL_RDONLY);
  if (::ioctl(directory, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) == 0) ::fchmod(directory, 0700);
}

// One directory and the root are open at a time, and the way back is kept: neither descriptors nor
// the length of paths limit how deep a tree may be. What lies very deep is moved to the root first:
// a removal that is cut off on the way has got somewhere, and the way back stays short.
class TreeRemoval {
 public:
  // 0, or the errno of what could not be removed.
  int run(const char* root) {
    int top = open_root(root);
    if (top < 0 && errno == EACCES && ::chmod(root, 0700) == 0) top = open_root(root);
    if (top < 0) return errno == ENOENT ? 0 : errno;
    top_ = top;
    here_ = ::dup(top);
    if (here_ < 0) return errno;
    open_up(here_);
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
    ::close(top_);
    return ::rmdir(root) == 0 || errno == ENOENT ? 0 : errno;
  }

 private:
  // So many subdirectories are noted at a time: reading a directory again for each would take
  // quadratic time.
  static constexpr std::size_t kNoted = 256;
  // With so many names at each level they take less than 20 MB.
  static constexpr std::size_t kDeepest = 250;

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
    open_up(below);
    if (way_.size() >= kDeepest && moves_up(name.c_str())) {
      ::close(below);
      return 0;
    }
    way_.push_back({name, facts.st_dev, facts.st_ino, std::exchange(pending_, {})});
    ::close(here_);
    here_ = below;
    return 0;
  }

  // To the root, where a later sweep finds it. What can't be moved, between projects with quotas
  // for example, is removed where it is.
  bool moves_up(const char* name) {
    while (true) {
      const std::string free_name = ".removal-" + std::to_string(moved_++);
      if (::renameat(here_, name, top_, free_name.c_str()) == 0) return true;
      // The name is taken, or is on the way to here; in the place of an empty directory it may be.
      if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) return false;
    }
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
  int top_ = -1;
  int here_ = -1;
  std::vector<Step> way_;
  std::size_t moved_ = 0;
};

}  // namespace

int remove_tree(const char* root) { return TreeRemoval().run(root); }
