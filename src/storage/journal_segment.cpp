#include "storage/journal_segment.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace relay::storage {
namespace {

Error cannot_write(const std::string& path, int error) {
  return make_error(ErrorType::kInternalError, "cannot write " + path + ": " + std::strerror(error))
      .with("path", path);
}

// A page without a block would be found out by a signal, when it is written.
int allocate(int file, std::size_t size) {
  int error = 0;
  do {
    error = ::posix_fallocate(file, 0, static_cast<off_t>(size));
  } while (error == EINTR);
  return error;
}

int write_all(int file, std::string_view bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::size_t>(count);
  }
  return 0;
}

}  // namespace

Result<JournalSegment> JournalSegment::make(std::string path, std::uint32_t number,
                                            std::size_t size, std::string_view head) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return cannot_write(path, errno);
  int error = allocate(file.get(), size);
  void* place = MAP_FAILED;
  if (error == 0) {
    place = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (place == MAP_FAILED) error = errno;
  }
  if (error != 0) {
    ::unlink(path.c_str());
    return cannot_write(path, error);
  }
  JournalSegment segment(std::move(path), number, std::move(file), static_cast<char*>(place), size);
  auto begun = segment.append(head);
  if (begun) return segment;
  ::unlink(segment.path().c_str());
  return std::move(begun.error());
}

UniqueFd JournalSegment::descriptor() const {
  return UniqueFd(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
}

JournalSegment::JournalSegment(JournalSegment&& other) noexcept
    : path_(std::move(other.path_)),
      number_(other.number_),
      file_(std::move(other.file_)),
      place_(std::exchange(other.place_, nullptr)),
      size_(other.size_),
      used_(other.used_) {}

JournalSegment& JournalSegment::operator=(JournalSegment&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(number_, other.number_);
  std::swap(file_, other.file_);
  std::swap(place_, other.place_);
  std::swap(size_, other.size_);
  std::swap(used_, other.used_);
  return *this;
}

JournalSegment::~JournalSegment() {
  if (place_ != nullptr) ::munmap(place_, size_);
}

std::span<char> JournalSegment::append(std::size_t size) {
  const std::span<char> place(place_ + used_, size);
  used_ += size;
  return place;
}

// Not through the mapping: the first touch of a page makes the kernel read it, and those behind it.
Result<void> JournalSegment::append(std::string_view entry) {
  const int error = write_all(file_.get(), entry, used_);
  if (error != 0) return cannot_write(path_, error);
  used_ += entry.size();
  return {};
}

void JournalSegment::finish() const {
  // Where it can't be cut it keeps its room: nothing is lost.
  const int cut = ::ftruncate(file_.get(), static_cast<off_t>(used_));
  static_cast<void>(cut);
}

}  // namespace relay::storage
