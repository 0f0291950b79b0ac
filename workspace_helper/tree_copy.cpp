#include "tree_copy.hpp"

#include "open_below.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

// Three descriptors for each: 603 at most, of the 1,024 that are usual.
constexpr int kMaxDepth = 200;
constexpr std::uint64_t kEntryBytes = 4096;

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  bool valid() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

// Whoever owns the tree has replaced it since it was looked at, or what is wanted is there already.
bool is_passed_over(int error) {
  return error == ENOENT || error == ELOOP || error == ENOTDIR || error == EEXIST;
}

bool spend(CopyBudget& budget, std::uint64_t bytes) {
  if (bytes > budget.left) return false;
  budget.left -= bytes;
  return true;
}

// The same owner, mode and times for what was made.
int dress(int made, const struct stat& facts) {
  const std::array times{facts.st_atim, facts.st_mtim};
  const bool done = ::fchown(made, facts.st_uid, facts.st_gid) == 0 &&
                    ::fchmod(made, facts.st_mode & 01777) == 0 &&
                    ::futimens(made, times.data()) == 0;
  return done ? 0 : errno;
}

int copy_by_hand(int from, int to, off_t begin, off_t end) {
  std::array<char, 128 * 1024> buffer;
  while (begin < end) {
    const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - begin));
    const ssize_t got = ::pread(from, buffer.data(), wanted, begin);
    if (got < 0) return errno;
    if (got == 0) return 0;  // it has become shorter
    for (ssize_t put = 0; put < got;) {
      const ssize_t written =
          ::pwrite(to, buffer.data() + put, static_cast<std::size_t>(got - put), begin + put);
      if (written < 0) return errno;
      put += written;
    }
    begin += got;
  }
  return 0;
}

int copy_range(int from, int to, off_t begin, off_t end) {
  off_t in = begin;
  off_t out = begin;
  while (in < end) {
    const ssize_t done =
        ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - in), 0);
    if (done == 0) return 0;
    if (done > 0) continue;
    return errno == ENOSPC || errno == EDQUOT || errno == EIO ? errno
                                                              : copy_by_hand(from, to, in, end);
  }
  return 0;
}

// `paid` of its bytes are, for the blocks that it is said to have. It may have more: some file
// systems are late to say so or don't know holes, and somebody may write to it meanwhile.
int copy_data(int from, int to, off_t size, std::uint64_t paid, CopyBudget& budget) {
  if (::ioctl(to, FICLONE, from) == 0) return 0;
  for (off_t at = 0; at < size;) {
    off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole up to the end
    if (data < 0) data = at;
    if (data >= size) break;
    off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0 || hole > size) hole = size;
    const auto bytes = static_cast<std::uint64_t>(hole - data);
    const std::uint64_t from_paid = std::min(bytes, paid);
    if (!spend(budget, bytes - from_paid)) return EFBIG;
    paid -= from_paid;
    if (const int error = copy_range(from, to, data, hole)) return error;
    at = hole;
  }
  return ::ftruncate(to, size) == 0 ? 0 : errno;
}

class TreeCopy {
 public:
  explicit TreeCopy(CopyBudget& budget) : budget_(budget) {}

  int directory(int from, int to, int depth) {
    if (depth > kMaxDepth) return ELOOP;
    DIR* const entries = ::fdopendir(::dup(from));
    if (entries == nullptr) return errno;
    int result = 0;
    errno = 0;
    while (const dirent* const found = ::readdir(entries)) {
      const std::string_view name = found->d_name;
      if (name == "." || name == "..") continue;
      result = entry(from, to, found->d_name, depth);
      if (result != 0) break;
      errno = 0;
    }
    if (result == 0) result = errno;
    ::closedir(entries);
    return result;
  }

 private:
  int entry(int from, int to, const char* name, int depth) {
    struct stat facts = {};
    int error = 0;
    if (::fstatat(from, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      error = errno;
    } else if (S_ISREG(facts.st_mode)) {
      error = file(from, to, name);
    } else if (!S_ISDIR(facts.st_mode) && !S_ISLNK(facts.st_mode) && !S_ISFIFO(facts.st_mode)) {
      return 0;
    } else if (!spend(budget_, kEntryBytes)) {
      return EFBIG;
    } else if (S_ISDIR(facts.st_mode)) {
      return below(from, to, name, depth);
    } else if (S_ISLNK(facts.st_mode)) {
      error = link(from, to, name, facts);
    } else {
      error = fifo(to, name, facts);
    }
    return is_passed_over(error) ? 0 : error;
  }

  int below(int from, int to, const char* name, int depth) {
    const Descriptor inner(open_below(from, name));
    if (!inner.valid()) return is_passed_over(errno) ? 0 : errno;
    struct stat facts = {};
    if (::fstat(inner.get(), &facts) != 0) return errno;
    if (::mkdirat(to, name, 0700) != 0 && errno != EEXIST) return errno;
    const Descriptor made(open_below(to, name));
    if (!made.valid()) return is_passed_over(errno) ? 0 : errno;
    const int error = directory(inner.get(), made.get(), depth + 1);
    return error != 0 ? error : dress(made.get(), facts);
  }

  // Whoever owns the tree may put a device in the place of a file at any time, and opening one does
  // something by itself: what is at the name is looked at first, and that very thing is opened.
  static int open_file(int from, const char* name) {
    constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const Descriptor seen(::openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat facts = {};
    if (!seen.valid() || ::fstat(seen.get(), &facts) != 0) return -1;
    if (!S_ISREG(facts.st_mode)) {
      errno = ENOENT;
      return -1;
    }
    const int file = ::open(("/proc/self/fd/" + std::to_string(seen.get())).c_str(), kFlags);
    if (file >= 0 || !is_passed_over(errno)) return file;
    return ::openat(from, name, kFlags | O_NOFOLLOW);  // there is no /proc
  }

  int file(int from, int to, const char* name) {
    const Descriptor original(open_file(from, name));
    if (!original.valid()) return errno;
    struct stat facts = {};
    if (::fstat(original.get(), &facts) != 0) return errno;
    if (!S_ISREG(facts.st_mode)) return 0;
    const auto blocks = static_cast<std::uint64_t>(facts.st_blocks) * 512;
    if (!spend(budget_, blocks + kEntryBytes)) return EFBIG;
    const Descriptor made(
        ::openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made.valid()) return errno;
    const int error = copy_data(original.get(), made.get(), facts.st_size, blocks, budget_);
    return error != 0 ? error : dress(made.get(), facts);
  }

  static int link(int from, int to, const char* name, const struct stat& facts) {
    std::array<char, 4097> target{};
    if (::readlinkat(from, name, target.data(), target.size() - 1) < 0) return errno;
    return ::symlinkat(target.data(), to, name) == 0 ? dress_by_name(to, name, facts) : errno;
  }

  static int fifo(int to, const char* name, const struct stat& facts) {
    if (::mkfifoat(to, name, facts.st_mode & 0777) != 0) return errno;
    return dress_by_name(to, name, facts);
  }

  static int dress_by_name(int to, const char* name, const struct stat& facts) {
    const std::array times{facts.st_atim, facts.st_mtim};
    const bool done = ::fchownat(to, name, facts.st_uid, facts.st_gid, AT_SYMLINK_NOFOLLOW) == 0 &&
                      ::utimensat(to, name, times.data(), AT_SYMLINK_NOFOLLOW) == 0;
    return done ? 0 : errno;
  }

  CopyBudget& budget_;
};

}  // namespace

int copy_tree(const char* from, const char* to, CopyBudget& budget) {
  const Descriptor original(open_root(from));
  if (!original.valid()) return errno == ENOENT ? 0 : errno;
  const Descriptor made(open_root(to));
  if (!made.valid()) return errno;
  return TreeCopy(budget).directory(original.get(), made.get(), 0);
}
