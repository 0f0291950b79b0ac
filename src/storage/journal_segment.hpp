// One file of the journal while it is written: its blocks are allocated when it is made, so that a
// full disk does not concern what has begun. Small entries are written through a mapping, which
// costs no system call; large ones by write(), which does not read or clear the pages before. What
// either has taken is the kernel's: a killed process does not take it along.
//
// It belongs to one thread at a time.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace relay::storage {

class JournalSegment {
 public:
  // Makes the file, `size` bytes large, and begins it with `head`. Errors: it can't be made, the
  // disk has no room for it.
  static Result<JournalSegment> make(std::string path, std::uint32_t number, std::size_t size,
                                     std::string_view head);

  JournalSegment(JournalSegment&& other) noexcept;
  JournalSegment& operator=(JournalSegment&& other) noexcept;
  ~JournalSegment();

  bool has_room_for(std::size_t size) const { return size <= size_ - used_; }
  // Where the next `size` bytes go; there must be room for them. They are zeros, as everything
  // behind them: the end, until an entry is there.
  std::span<char> append(std::size_t size);
  // The same for an entry that is ready. Errors: the disk; then it is not whole.
  Result<void> append(std::string_view entry);

  // Gives back the room that is left. For good.
  void finish() const;

  // Another descriptor of the file; none when there is none to be had.
  UniqueFd descriptor() const;

  const std::string& path() const { return path_; }
  std::uint32_t number() const { return number_; }
  std::size_t size() const { return size_; }
  std::size_t used() const { return used_; }

 private:
  JournalSegment(std::string path, std::uint32_t number, UniqueFd file, char* place,
                 std::size_t size)
      : path_(std::move(path)),
        number_(number),
        file_(std::move(file)),
        place_(place),
        size_(size) {}

  std::string path_;
  std::uint32_t number_ = 0;
  UniqueFd file_;
  char* place_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace relay::storage
