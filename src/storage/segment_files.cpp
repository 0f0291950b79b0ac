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

// How many bytes were there; -1: they can't be read.
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

Result<int> SegmentFiles::file(std::uint32_t segment) {
  const auto known = std::ranges::find(open_, segment, &Open::segment);
  if (known != open_.end()) {
    std::rotate(known, known + 1, open_.end());
    return open_.back().file.get();
  }
  const std::string path = journal_path(database_path_, segment);
  UniqueFd opened(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!opened && errno == ENOENT) return kMissing;
  if (!opened) return not_usable("open", path, errno);
  const std::string head = journal_head(instance_, segment);
  std::string begin(head.size(), '\0');
  if (read_at(opened.get(), begin.data(), begin.size(), 0) < 0) {
    return not_usable("read", path, errno);
  }
  if (begin != head) return kMissing;
  if (open_.size() >= kMostOpen) close_one();
  open_.push_back({segment, std::move(opened), {}});
  return open_.back().file.get();
}

void SegmentFiles::begun(std::uint32_t segment, UniqueFd file) {
  if (!file || std::ranges::find(open_, segment, &Open::segment) != open_.end()) return;
  if (open_.size() >= kMostOpen) close_one();
  open_.push_back({segment, std::move(file), {}});
}

void SegmentFiles::close_one() {
  const auto is_full = [this](const Open& open) { return open.segment < written_from_; };
  const auto full = std::ranges::find_if(open_, is_full);
  open_.erase(full == open_.end() ? open_.begin() : full);
}

Result<std::string_view> SegmentFiles::read(std::uint32_t segment, Extent extent) {
  const auto from = file(segment);
  if (!from) return from.error();
  if (*from == kMissing) return std::string_view();
  if (buffer_.size() > kKeptBuffer) buffer_ = std::string();
  if (buffer_.size() < extent.size) buffer_.resize(extent.size);
  const ssize_t count = read_at(*from, buffer_.data(), extent.size, extent.offset);
  if (count < 0) return not_usable("read", journal_path(database_path_, segment), errno);
  return std::string_view(buffer_.data(), static_cast<std::size_t>(count));
}

Result<void> SegmentFiles::erase(std::uint32_t segment, Extent extent) {
  const auto to = file(segment);
  if (!to) return to.error();
  if (*to == kMissing) return {};
  const UniqueFd& copy = open_.back().copy;
  if (erase_in(*to, extent) && (!copy || erase_in(copy.get(), extent))) return {};
  return not_usable("erase in", journal_path(database_path_, segment), errno);
}

Result<void> SegmentFiles::sync(std::uint32_t segment) {
  const auto synced = file(segment);
  if (!synced) return synced.error();
  const std::string path = journal_path(database_path_, segment);
  if (*synced == kMissing) {
    errno = ENOENT;
  } else if (::fdatasync(*synced) == 0) {
    bool& is_found = open_.back().is_found;
    is_found = is_found || sync_directory_of(path);
    if (is_found) return {};
  }
  return make_error(ErrorType::kInternalError, "cannot sync " + path + ": " + std::strerror(errno))
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
  if (!is_written) open.copy.reset();
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
