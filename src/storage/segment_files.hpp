// The files of the journal as the storage thread uses them: what is in them is read, erased, synced
// and, when nothing is left of it, deleted.
//
// Keeps a bounded number of files open: those that were used last. They can be put back when
// somebody deletes or replaces them under the running relay. Those that can't be written are read.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "storage/extent.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace relay::storage {

// After a power cut a new file is found when its directory was synced.
bool sync_directory_of(const std::string& path);

// How many of the bytes were there; -1: they can't be read, and errno says why.
ssize_t read_at(int file, char* to, std::size_t size, std::size_t offset);

// Whether what was to be read is lost with this errno, rather than not to be had at the moment.
bool is_lost_by(int error);
// Whether a file that is not opened for writing, with this errno, may be opened for reading.
bool may_be_read_only(int error);

class SegmentFiles {
 public:
  static constexpr std::size_t kMostOpen = 32;

  // Of the database with this id: files of another one are as good as missing.
  SegmentFiles(std::string database_path, std::string instance)
      : database_path_(std::move(database_path)), instance_(std::move(instance)) {}

  // The bytes at `extent`, until the next call: as many as are still there, none of a file that is
  // missing, none where the disk has lost some. Errors, after which it may be tried again: the file
  // is there but can't be opened or read.
  Result<std::string_view> read(std::uint32_t segment, Extent extent);
  // How the disk refused what it has lost, once a file.
  std::vector<std::string> take_lost() { return std::exchange(lost_, {}); }

  // Takes the bytes off the disk. What is left says how much was there. Of a file that is missing
  // they are off it already. Errors, after which it may be tried again: some may still be there.
  Result<void> erase(std::uint32_t segment, Extent extent);

  // All that was written to the file survives a power cut.
  Result<void> sync(std::uint32_t segment);

  // The file has been made: it can be put back though it may be gone before it was ever opened.
  // Nothing to do without a descriptor of it.
  void begun(std::uint32_t segment, UniqueFd file);
  // A message of the file was recorded: it belongs to those that can be put back.
  void used(std::uint32_t segment) { static_cast<void>(find(segment)); }
  // Files from this one on are still written: they are closed last.
  void written_from(std::uint32_t segment) { written_from_ = segment; }

  // The first of the open files that is gone or is another one; 0: none.
  std::uint32_t moved() const;
  // Puts a copy of those that are gone or others at their paths. What is there is moved aside, to
  // where the journal of `<database>.replaced` is. Errors: no room, or both are in the way.
  Result<void> put_back();
  // Nothing is appended to the file any more: a copy that was put back gets what it lacks.
  void ended(std::uint32_t segment);

  // Whether the file is gone then.
  bool remove(std::uint32_t segment);

 private:
  struct Open {
    std::uint32_t segment;
    UniqueFd file;
    UniqueFd copy{};        // what was put back at the path while the file was still written
    bool is_found = false;  // after a power cut: its directory was synced
    bool is_read_only = false;
  };
  struct Found {
    Open* open = nullptr;  // until the next call
    int error = 0;         // why there is none; 0: it is missing, or another database's
  };

  bool is_moved(const Open& open) const;
  Result<void> put_back(Open& open);
  Found find(std::uint32_t segment);
  static bool make_writable(Open& open);
  Result<std::string_view> not_read(std::uint32_t segment, int error);
  void keep(Open open);
  void close_one();

  std::string database_path_;
  std::string instance_;
  std::uint32_t written_from_ = 0;
  std::vector<Open> open_;  // the last used one is the last
  std::set<std::uint32_t> lost_in_;
  std::vector<std::string> lost_;
  std::string buffer_;
};

}  // namespace relay::storage
