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

bool has_head(int file, const std::string& head) {
  std::string begin(head.size(), '\0');
  return ::pread(file, begin.data(), begin.size(), 0) == std::ssize(begin) && begin == head;
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

void erase_in(int file, Extent extent) {
  const std::string head = erased_head(extent.size);
  const ssize_t written = ::pwrite(file, head.data(), head.size(), extent.offset);
  if (written != std::ssize(head)) return;
  const off_t begin = static_cast<off_t>(extent.offset + head.size());
  const auto size = static_cast<off_t>(extent.size - head.size());
  if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, size) == 0) return;
  // A file system without holes.
  const std::string zeros(kBlock, '\0');
  for (off_t done = 0; done < size;) {
    const auto part = std::min<std::size_t>(zeros.size(), static_cast<std::size_t>(size - done));
    const ssize_t count = ::pwrite(file, zeros.data(), part, begin + done);
    if (count <= 0) return;
    done += count;
  }
}

}  // namespace

bool sync_directory_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened && ::fsync(opened.get()) == 0;
}

int SegmentFiles::file(std::uint32_t segment) {
  const auto known = std::ranges::find(open_, segment, &Open::segment);
  if (known != open_.end()) {
    std::rotate(known, known + 1, open_.end());
    return open_.back().file.get();
  }
  UniqueFd opened(::open(journal_path(database_path_, segment).c_str(), O_RDWR | O_CLOEXEC));
  if (!opened || !has_head(opened.get(), journal_head(instance_, segment))) return -1;
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

std::string_view SegmentFiles::read(std::uint32_t segment, Extent extent) {
  const int from = file(segment);
  if (from < 0) return {};
  if (buffer_.size() > kKeptBuffer) buffer_ = std::string();
  if (buffer_.size() < extent.size) buffer_.resize(extent.size);
  std::size_t done = 0;
  while (done < extent.size) {
    const ssize_t count = ::pread(from, buffer_.data() + done, extent.size - done,
                                  static_cast<off_t>(extent.offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return std::string_view(buffer_.data(), done);
}

// The head first: a start that reads the file goes on behind what was erased.
void SegmentFiles::erase(std::uint32_t segment, Extent extent) {
  const int to = file(segment);
  if (to < 0) return;
  erase_in(to, extent);
  if (open_.back().copy) erase_in(open_.back().copy.get(), extent);
}

Result<void> SegmentFiles::sync(std::uint32_t segment) {
  const int synced = file(segment);
  const std::string path = journal_path(database_path_, segment);
  if (synced >= 0 && ::fdatasync(synced) == 0) {
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

void SegmentFiles::remove(std::uint32_t segment) {
  std::erase_if(open_, [segment](const Open& open) { return open.segment == segment; });
  ::unlink(journal_path(database_path_, segment).c_str());
}

}  // namespace relay::storage
