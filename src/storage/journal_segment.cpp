#include "storage/journal_segment.hpp"

#include "base/unique_fd.hpp"

#include <algorithm>
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

}  // namespace

Result<JournalSegment> JournalSegment::make(std::string path, std::size_t size,
                                            std::string_view head) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
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
  JournalSegment segment(std::move(path), static_cast<char*>(place), size);
  segment.begin(head);
  return segment;
}

JournalSegment::JournalSegment(JournalSegment&& other) noexcept
    : path_(std::move(other.path_)),
      place_(std::exchange(other.place_, nullptr)),
      size_(other.size_),
      used_(other.used_) {}

JournalSegment& JournalSegment::operator=(JournalSegment&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(place_, other.place_);
  std::swap(size_, other.size_);
  std::swap(used_, other.used_);
  return *this;
}

JournalSegment::~JournalSegment() {
  if (place_ != nullptr) ::munmap(place_, size_);
}

Result<void> JournalSegment::begin_again(std::string path, std::string_view head) {
  // A head that is not this file's says that nothing in it counts.
  if (::rename(path_.c_str(), path.c_str()) != 0) return cannot_write(path, errno);
  path_ = std::move(path);
  begin(head);
  return {};
}

void JournalSegment::begin(std::string_view head) {
  end_at(head.size());
  std::memcpy(place_, head.data(), head.size());
  used_ = head.size();
}

std::span<char> JournalSegment::append(std::size_t size) {
  end_at(used_ + size);
  const std::span<char> place(place_ + used_, size);
  used_ += size;
  return place;
}

// What was there before is not read on.
void JournalSegment::end_at(std::size_t offset) {
  std::memset(place_ + offset, 0, std::min(kEndBytes, size_ - offset));
}

void JournalSegment::remove() const { ::unlink(path_.c_str()); }

}  // namespace relay::storage
