// The files of the journal as the storage thread uses them: what is in them is read, erased, synced
// and, when nothing is left of it, deleted.
//
// Keeps a bounded number of files open: those that were used last. They can be put back when
// somebody deletes or replaces them under the running relay.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "storage/extent.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::storage {

// After a power cut a new file is found when its directory was synced.
bool sync_directory_of(const std::string& path);

class SegmentFiles {
 public:
  static constexpr std::size_t kMostOpen = 32;

  // Of the database with this id: files of another one are as good as missing.
  SegmentFiles(std::string database_path, std::string instance)
      : database_path_(std::move(database_path)), instance_(std::move(instance)) {}

  // The bytes at `extent`, until the next call: as many as are still there, none of a file that is
  // missing. Errors, after which it may be tried again: the file is there but can't be opened or
  // read.
  Result<std::string_view> read(std::uint32_t segment, Extent extent);

  // Takes the bytes off the disk. What is left says how much was there. Of a file that is missing
  // they are off it already. Errors, after which it may be tried again: some may still be there.
  Result<void> erase(std::uint32_t segment, Extent extent);

  // All that was written to the file survives a power cut.
  Result<void> sync(std::uint32_t segment);

  // The file has been made: it can be put back though it may be gone before it was ever opened.
  // Nothing to do without a descriptor of it.
  void begun(std::uint32_t segment, UniqueFd file);
  // A message of the file was recorded: it belongs to those that can be put back.
  void used(std::uint32_t segment) { static_cast<void>(file(segment)); }
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
  static constexpr int kMissing = -1;

  struct Open {
    std::uint32_t segment;
    UniqueFd file;
    UniqueFd copy;          // what was put back at the path while the file was still written
    bool is_found = false;  // after a power cut: its directory was synced
  };

  bool is_moved(const Open& open) const;
  Result<void> put_back(Open& open);
  // kMissing: there is none, or it is another database's. An open one is the last of `open_` then.
  // Errors: it is there, and can't be opened now.
  Result<int> file(std::uint32_t segment);

  void close_one();

  std::string database_path_;
  std::string instance_;
  std::uint32_t written_from_ = 0;
  std::vector<Open> open_;  // the last used one is the last
  std::string buffer_;
};

}  // namespace relay::storage
