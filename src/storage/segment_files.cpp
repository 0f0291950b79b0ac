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
  if (!opened) return -1;
  if (open_.size() >= kMostOpen) close_one();
  open_.push_back({segment, std::move(opened)});
  return open_.back().file.get();
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
  const std::string head = erased_head(extent.size);
  const ssize_t written = ::pwrite(to, head.data(), head.size(), extent.offset);
  if (written != std::ssize(head)) return;
  const off_t begin = static_cast<off_t>(extent.offset + head.size());
  const auto size = static_cast<off_t>(extent.size - head.size());
  if (::fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, size) == 0) return;
  // A file system without holes.
  const std::string zeros(64u << 10, '\0');
  for (off_t done = 0; done < size;) {
    const auto part = std::min<std::size_t>(zeros.size(), static_cast<std::size_t>(size - done));
    const ssize_t count = ::pwrite(to, zeros.data(), part, begin + done);
    if (count <= 0) return;
    done += count;
  }
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
         ::fstat(open.file.get(), &held) != 0 || held.st_dev != there.st_dev ||
         held.st_ino != there.st_ino;
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
  // The file has no name any more, but for this one.
  const std::string held = "/proc/self/fd/" + std::to_string(open.file.get());
  std::error_code why;
  if (!fs::copy_file(held, copy, fs::copy_options::overwrite_existing, why)) return failed(why);
  UniqueFd made(::open(copy.c_str(), O_RDWR | O_CLOEXEC));
  if (!made || ::fsync(made.get()) != 0) return failed(last_error());
  const std::string aside = journal_path(database_path_ + ".replaced", open.segment);
  if (::access(path.c_str(), F_OK) == 0 &&
      ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) != 0) {
    return failed(last_error());
  }
  if (::rename(copy.c_str(), path.c_str()) != 0) return failed(last_error());
  open.file = std::move(made);
  open.is_found = sync_directory_of(path);
  return {};
}

void SegmentFiles::remove(std::uint32_t segment) {
  std::erase_if(open_, [segment](const Open& open) { return open.segment == segment; });
  ::unlink(journal_path(database_path_, segment).c_str());
}

}  // namespace relay::storage
