// One file of the journal: its blocks are allocated when it is made, and it is written through a
// mapping. What is in the mapping is the kernel's, as what was given to write() is, without a
// system call for each entry; a file that is used again has its pages in memory already.
//
// It belongs to one thread at a time.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace relay::storage {

class JournalSegment {
 public:
  // Makes the file, `size` bytes large, and begins it with `head`. Errors: it can't be made, the
  // disk has no room for it.
  static Result<JournalSegment> make(std::string path, std::size_t size, std::string_view head);

  JournalSegment(JournalSegment&& other) noexcept;
  JournalSegment& operator=(JournalSegment&& other) noexcept;
  ~JournalSegment();

  // Forgets what is in it and goes on as another file. Errors: it can't be renamed; then it is as
  // it was.
  Result<void> begin_again(std::string path, std::string_view head);

  bool has_room_for(std::size_t size) const { return size <= size_ - used_; }
  // Where the next `size` bytes go; there must be room for them. They begin with zeros, as what is
  // behind them does: the end, until an entry is there.
  std::span<char> append(std::size_t size);

  const std::string& path() const { return path_; }
  std::size_t size() const { return size_; }

  // Deletes the file.
  void remove() const;

 private:
  static constexpr std::size_t kEndBytes = 4;

  JournalSegment(std::string path, char* place, std::size_t size)
      : path_(std::move(path)), place_(place), size_(size) {}
  void begin(std::string_view head);
  void end_at(std::size_t offset);

  std::string path_;
  char* place_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace relay::storage
