// The newest writes of the log in plain files, put there before anybody is told of them: a killed
// relay has lost nothing that a client has seen.
//
// The journal is a row of files beside the database, `<database>.journal.<n>`. When one is full the
// next is begun; when the database has all that it holds, it is used again as a later one, or
// deleted. A start folds in what is left (fold_journal) and begins anew.
//
// Not durable against a power cut: what was committed to the database is (database.durability).
// Used on the loop, but for what says that it is for any thread.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "storage/journal_codec.hpp"
#include "storage/journal_segment.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::storage {

class Journal {
 public:
  // Of a file; one for a larger entry is as large as that needs.
  static constexpr std::size_t kSegmentBytes = 8u << 20;

  // `instance` is the database's own: a journal of another database is never folded into it. At
  // most `max_bytes` (or two segments) are kept for a database that does not take them.
  Journal(std::string database_path, std::string instance, std::size_t max_bytes, Logger log);

  // False: the entry is not in the journal, now and again it is tried anew; failure() says why.
  bool append(const EntryView& entry, std::uint64_t order);

  // The files may not be where they were: the next entry begins a new one. For any thread.
  void begin_anew() { anew_ = true; }

  // Files that are full: for ended() when the database has everything that was appended so far.
  std::vector<JournalSegment> take_full();
  void ended(JournalSegment segment);  // for any thread

  // Why the last append() did not work; empty: it did. Tries again first, when it is time.
  const std::string& failure();

  // The database has everything: nothing of the journal is needed any more.
  void remove_all();

 private:
  using Clock = std::chrono::steady_clock;

  bool begin_segment(std::size_t size);
  Result<JournalSegment> next_segment(std::size_t size);
  std::optional<JournalSegment> take_spare();
  bool failed(std::string reason);

  const std::string database_path_;
  const std::string instance_;
  const std::size_t max_bytes_;
  const Logger log_;
  std::optional<JournalSegment> current_;
  std::uint64_t next_number_ = 1;
  std::vector<JournalSegment> full_;
  std::atomic<std::size_t> kept_bytes_{0};  // of full segments
  std::atomic<bool> anew_{false};
  std::mutex mutex_;
  std::optional<JournalSegment> spare_;  // under mutex_
  std::string failure_;
  Clock::time_point retry_at_{};
};

// The files of a database's journal, the oldest first.
std::vector<std::string> journal_segments(const std::string& database_path);

// The number in the name of such a file.
std::uint64_t journal_number(const std::string& path);

// What the file with this number begins with.
std::string journal_head(std::string_view instance, std::uint64_t number);

}  // namespace relay::storage
