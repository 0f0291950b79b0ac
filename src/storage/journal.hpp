// The log as plain files, written before anybody is told: a killed relay has lost nothing that a
// client has seen. The messages stay there; the database is their index.
//
// The journal is a row of files beside the database, `<database>.journal.<n>`. When one is full the
// next is begun. A file goes when the database has all that it holds and none of its messages is
// left. A start indexes what the database has not yet (journal_fold.hpp).
//
// Not durable against a power cut, unless it is synced (database.durability).
// Used on the loop, but for what says that it is for any thread.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "storage/journal_codec.hpp"
#include "storage/journal_segment.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::storage {

class Journal {
 public:
  // Of a file; one for a larger entry is as large as that needs.
  static constexpr std::size_t kSegmentBytes = 8u << 20;

  // Entries from this size on are written by write().
  static constexpr std::size_t kLargeEntry = 16u << 10;

  // `instance` is the database's own: a journal of another database is never folded into it. At
  // most `max_bytes` (or two segments), and one larger entry beside them, wait for a database that
  // does not take them. The first file has the number `next_number`.
  Journal(std::string database_path, std::string instance, std::uint32_t next_number,
          std::size_t max_bytes, Logger log);

  // Where the entry is. Nothing: it is not in the journal, now and again it is tried anew;
  // failure() says why.
  std::optional<EntryPlace> append(const EntryView& entry, std::uint64_t order);

  // The files may not be where they were: the next entry begins a new one. For any thread.
  void begin_anew() { anew_ = true; }

  // Files that were made since the last call, for whoever reads them or puts them back.
  struct Begun {
    std::uint32_t number;
    UniqueFd file;
  };
  std::vector<Begun> take_begun();
  // Files that are full: for ended() when the database has everything that was appended so far.
  std::vector<JournalSegment> take_full();
  // Gives back the room that is left in it. For any thread.
  void ended(JournalSegment segment);
  // The present file is full, whatever room it has: nothing is appended any more.
  void close();

  // Why the last append() did not work; empty: it did. Tries again first, when it is time.
  const std::string& failure();

 private:
  using Clock = std::chrono::steady_clock;

  bool begin_segment(std::size_t size);
  Result<JournalSegment> next_segment(std::size_t size);
  Result<void> put(const EntryView& entry, std::uint64_t order, std::size_t size);
  bool failed(const Error& why);

  const std::string database_path_;
  const std::string instance_;
  const std::size_t max_bytes_;
  const Logger log_;
  std::optional<JournalSegment> current_;
  std::uint32_t next_number_;
  std::vector<Begun> begun_;
  std::vector<JournalSegment> full_;
  std::atomic<std::size_t> kept_bytes_{0};  // of full segments
  std::atomic<bool> anew_{false};
  std::string large_entry_;  // its memory is used again
  std::string failure_;
  Clock::time_point retry_at_{};
};

// The numbers of the files of a database's journal, ascending. Among them are those of which it
// can't be seen what they are. Errors: the directory can't be read.
Result<std::vector<std::uint32_t>> journal_segments(const std::string& database_path);

// Where the file with this number is, and what it begins with.
std::string journal_path(const std::string& database_path, std::uint32_t number);
std::string journal_head(std::string_view instance, std::uint32_t number);

}  // namespace relay::storage
