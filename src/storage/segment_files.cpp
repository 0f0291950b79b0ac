#include "storage/segment_files.hpp"

#include "storage/journal.hpp"
#include "storage/journal_codec.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace relay::storage {
namespace {

namespace fs = std::filesystem;

// Larger memory is not kept for the next reading.
constexpr std::size_t kKeptBuffer = 1u << 20;
constexpr std::size_t kBlock = 64u << 10;

// It passes, as a lack of descriptors does, or it is the disk: the messages are not gone.
Error not_usable(const std::string& what, const std::string& path, int error) {
  return make_error(ErrorType::kInternalError,
                    "cannot " + what + " " + path + ": " + std::strerror(error))
      .suggest(
          "see that the relay's user may read and write it and that the limit of open files "
          "(LimitNOFILE, ulimit -n) is high enough, then try again")
      .with("path", path)
      .retryable();
}

// All of `from`, with its holes.
bool copy_content(int from, int to) {
  struct stat status {};
  if (::fstat(from, &status) != 0 || ::ftruncate(to, status.st_size) != 0) return false;
  std::string block(kBlock, '\0');
  for (off_t done = 0; done < status.st_size;) {
    const ssize_t count = ::pread(from, block.data(), block.size(), done);
    if (count == 0) return true;
    if (count < 0) return false;
    const std::string_view part(block.data(), static_cast<std::size_t>(count));
    const bool is_hole = part.find_first_not_of('\0') == std::string_view::npos;
    if (!is_hole && ::pwrite(to, part.data(), part.size(), done) != count) return false;
    done += count;
  }
  return true;
}

// The head first: a start that reads the file goes on behind what was erased.
bool erase_in(int file, Extent extent) {
  const std::string head = erased_head(extent.size);
  const ssize_t written = ::pwrite(file, head.data(), head.size(), extent.offset);
  if (written != std::ssize(head)) return false;
  const off_t begin = static_cast<off_t>(extent.offset + head.size());
  const auto size = static_cast<off_t>(extent.size - head.size());
  if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, size) == 0) {
    return true;
  }
  // A file system without holes.
  const std::string zeros(kBlock, '\0');
  for (off_t done = 0; done < size;) {
    const auto part = std::min<std::size_t>(zeros.size(), static_cast<std::size_t>(size - done));
    const ssize_t count = ::pwrite(file, zeros.data(), part, begin + done);
    if (count <= 0) return false;
    done += count;
  }
  return true;
}

}  // namespace

bool sync_directory_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened && ::fsync(opened.get()) == 0;
}

ssize_t read_at(int file, char* to, std::size_t size, std::size_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(file, to + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

// The last two are how file systems say that they are damaged.
bool is_lost_by(int error) { return error == EIO || error == EUCLEAN || error == EBADMSG; }

bool may_be_read_only(int error) { return error == EROFS || error == EACCES || error == EPERM; }

SegmentFiles::Found SegmentFiles::find(std::uint32_t segment) {
  const auto known = std::ranges::find(open_, segment, &Open::segment);
  if (known != open_.end()) {
    std::rotate(known, known + 1, open_.end());
    return {&open_.back()};
  }
  const std::string path = journal_path(database_path_, segment);
  Open open{segment, UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC))};
  if (!open.file && may_be_read_only(errno)) {
    open.file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    open.is_read_only = true;
  }
  if (!open.file) return {nullptr, errno == ENOENT ? 0 : errno};
  const std::string head = journal_head(instance_, segment);
  std::string begin(head.size(), '\0');
  if (read_at(open.file.get(), begin.data(), begin.size(), 0) < 0) return {nullptr, errno};
  if (begin != head) return {};
  keep(std::move(open));
  return {&open_.back()};
}

void SegmentFiles::begun(std::uint32_t segment, UniqueFd file) {
  if (!file || std::ranges::find(open_, segment, &Open::segment) != open_.end()) return;
  keep({segment, std::move(file)});
}

void SegmentFiles::keep(Open open) {
  if (open_.size() >= kMostOpen) close_one();
  open_.push_back(std::move(open));
}

void SegmentFiles::close_one() {
  const auto is_full = [this](const Open& open) { return open.segment < written_from_; };
  const auto full = std::ranges::find_if(open_, is_full);
  open_.erase(full == open_.end() ? open_.begin() : full);
}

Result<std::string_view> SegmentFiles::read(std::uint32_t segment, Extent extent) {
  const Found found = find(segment);
  if (found.error != 0) return not_read(segment, found.error);
  if (found.open == nullptr) return std::string_view();
  if (buffer_.size() > kKeptBuffer) buffer_ = std::string();
  if (buffer_.size() < extent.size) buffer_.resize(extent.size);
  const int file = found.open->file.get();
  const ssize_t count = read_at(file, buffer_.data(), extent.size, extent.offset);
  if (count < 0) return not_read(segment, errno);
  return std::string_view(buffer_.data(), static_cast<std::size_t>(count));
}

Result<std::string_view> SegmentFiles::not_read(std::uint32_t segment, int error) {
  Error why = not_usable("read", journal_path(database_path_, segment), error);
  if (!is_lost_by(error)) return why;
  if (lost_in_.insert(segment).second) lost_.push_back(std::move(why.explanation));
  return std::string_view();
}

Result<void> SegmentFiles::erase(std::uint32_t segment, Extent extent) {
  const Found found = find(segment);
  if (found.open == nullptr && found.error == 0) return {};
  int error = found.error;
  if (found.open != nullptr) {
    Open& open = *found.open;
    if (make_writable(open) && erase_in(open.file.get(), extent) &&
        (!open.copy || erase_in(open.copy.get(), extent))) {
      return {};
    }
    error = errno;
  }
  return not_usable("erase in", journal_path(database_path_, segment), error);
}

// The same file, whatever is at its path.
bool SegmentFiles::make_writable(Open& open) {
  if (!open.is_read_only) return true;
  const std::string self = "/proc/self/fd/" + std::to_string(open.file.get());
  UniqueFd writable(::open(self.c_str(), O_RDWR | O_CLOEXEC));
  if (!writable) return false;
  open.file = std::move(writable);
  open.is_read_only = false;
  return true;
}

Result<void> SegmentFiles::sync(std::uint32_t segment) {
  const Found found = find(segment);
  const std::string path = journal_path(database_path_, segment);
  int error = found.error != 0 ? found.error : ENOENT;
  if (found.open != nullptr) {
    bool& is_found = found.open->is_found;
    const bool synced = ::fdatasync(found.open->file.get()) == 0;
    is_found = is_found || (synced && sync_directory_of(path));
    if (synced && is_found) return {};
    error = errno;
  }
  return make_error(ErrorType::kInternalError, "cannot sync " + path + ": " + std::strerror(error))
      .with("path", path);
}

bool SegmentFiles::is_moved(const Open& open) const {
  struct stat held {
  }, there{};
  return ::stat(journal_path(database_path_, open.segment).c_str(), &there) != 0 ||
         ::fstat(open.copy ? open.copy.get() : open.file.get(), &held) != 0 ||
         held.st_dev != there.st_dev || held.st_ino != there.st_ino;
}

std::uint32_t SegmentFiles::moved() const {
  const auto found = std::ranges::find_if(open_, [this](const Open& one) { return is_moved(one); });
  return found == open_.end() ? 0 : found->segment;
}

Result<void> SegmentFiles::put_back() {
  for (Open& open : open_) {
    if (!is_moved(open)) continue;
    auto put = put_back(open);
    if (!put) return put;
  }
  return {};
}

Result<void> SegmentFiles::put_back(Open& open) {
  const std::string path = journal_path(database_path_, open.segment);
  const std::string copy = path + ".restored";
  const auto failed = [&](std::error_code why) {
    ::unlink(copy.c_str());
    return make_error(ErrorType::kInternalError, "cannot put back " + path + ": " + why.message())
        .suggest("make room on the disk of database.path, in a directory that the relay may write")
        .with("path", path);
  };
  const auto last_error = [] { return std::error_code(errno, std::generic_category()); };
  UniqueFd made(::open(copy.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!made || !copy_content(open.file.get(), made.get()) || ::fsync(made.get()) != 0) {
    return failed(last_error());
  }
  const std::string aside = journal_path(database_path_ + ".replaced", open.segment);
  if (::access(path.c_str(), F_OK) == 0 &&
      ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) != 0) {
    return failed(last_error());
  }
  if (::rename(copy.c_str(), path.c_str()) != 0) return failed(last_error());
  open.is_found = sync_directory_of(path);
  const bool is_written = open.segment >= written_from_;
  (is_written ? open.copy : open.file) = std::move(made);
  if (is_written) return {};
  open.copy.reset();
  open.is_read_only = false;
  return {};
}

void SegmentFiles::ended(std::uint32_t segment) {
  const auto known = std::ranges::find(open_, segment, &Open::segment);
  if (known == open_.end() || !known->copy) return;
  if (!copy_content(known->file.get(), known->copy.get())) return;
  ::fsync(known->copy.get());
  known->file = std::move(known->copy);
}

bool SegmentFiles::remove(std::uint32_t segment) {
  std::erase_if(open_, [segment](const Open& open) { return open.segment == segment; });
  return ::unlink(journal_path(database_path_, segment).c_str()) == 0 || errno == ENOENT;
}

}  // namespace relay::storage
