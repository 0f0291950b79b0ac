// The storage thread: gathers writes into groups, commits them, answers reads after them.
//
// push() and submit() are called on the loop; they hold a short lock and wake the thread at most
// twice a group: once to begin gathering and once when the group is full or someone waits for an
// answer. A failed commit keeps its group; the thread tries again with a growing pause (100 ms to 5
// s).
#pragma once

#include "base/log.hpp"
#include "storage/database_place.hpp"
#include "storage/held_back.hpp"
#include "storage/housekeeping.hpp"
#include "storage/journal.hpp"
#include "storage/message_store.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace relay::storage {

// A read or another operation that wants the connection. Runs on the storage thread after all
// writes that were pushed before it.
class Job {
 public:
  virtual ~Job() = default;
  virtual void run(MessageStore& store, HeldWrites held) = 0;
  // True: run() waits until the writes before it are in the database or given up.
  virtual bool wants_settled_writes() const { return false; }
};

class LogWriter {
 public:
  // `place`: none for a database in memory.
  LogWriter(std::unique_ptr<MessageStore> store, std::unique_ptr<DatabasePlace> place,
            const LogOptions& options, Logger log);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  // Runs every job and writes what can be written.
  ~LogWriter();
  // Given on the storage thread a file of the journal that is needed no more.
  void when_segment_ends(std::function<void(JournalSegment)> act) {
    segment_ended_ = std::move(act);
  }
  // Called on the storage thread when files of the database were deleted or replaced, and when they
  // are back.
  void when_moved(std::function<void()> act) { moved_ = std::move(act); }

  // The order of the next write that is pushed: higher than that of any write of this database.
  std::uint64_t next_order() const { return order_ + 1; }
  // Comes before what is in it.
  void segment_begun(Journal::Begun segment);
  // All of them at once; moves them away.
  void push(std::vector<Write>& writes);
  // The thread. Behind the calls above.
  void start();
  // Writes what can be written and ends. Called by the destructor, too.
  void finish();
  void submit(std::unique_ptr<Job> job);
  // What is kept from here on: the thread takes it with the next group, which begins at once.
  void change_limits(const LogLimits& limits);
  // Attempts to write at once instead of at the end of the pause. Storage thread only.
  void retry_soon() { retry_at_ = {}; }

  LogStatus status() const;
  std::size_t backlog() const;  // see MessageLog

 private:
  using Clock = std::chrono::steady_clock;
  enum class Activity { kIdle, kGathering, kBusy };
  struct Waiting {
    std::unique_ptr<Job> job;
    std::uint64_t after_order = 0;
  };

  void run();
  bool wait_and_take();
  void commit_held(bool stopping);
  void measure();
  bool is_in_place(bool look);
  Result<void> put_back(bool database_is_there);
  void back_in_place();
  void run_jobs(bool stopping);
  void tell_lost();
  Clock::time_point next_turn() const;
  void failed(const Error& why);
  void recovered();
  void publish();
  void end_segments(HeldWrites written);
  void pushed(std::unique_lock<std::mutex> lock);
  bool group_is_full() const;
  std::size_t queue_room() const;
  std::size_t waiting() const;
  void note_backlog();

  const std::size_t max_queued_bytes_;
  const std::size_t max_held_bytes_;
  const std::size_t max_backlog_;
  const std::chrono::milliseconds group_commit_;
  const std::chrono::milliseconds look_period_;
  const Logger log_;
  std::function<void(JournalSegment)> segment_ended_;
  std::function<void()> moved_;

  std::uint64_t order_;  // of the loop

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_:
  std::vector<Journal::Begun> begun_;
  PendingWrites queued_;
  std::vector<Waiting> queued_jobs_;
  std::optional<LogLimits> queued_limits_;
  Activity activity_ = Activity::kIdle;
  bool told_full_ = false;
  bool stopping_ = false;
  bool writable_ = true;
  std::string last_error_;
  HeldBack held_back_;

  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint64_t> written_{0};
  // When the files were last looked at.
  std::atomic<std::uint64_t> wal_bytes_{0};
  std::atomic<std::int64_t> disk_free_bytes_{-1};
  std::atomic<std::size_t> held_bytes_{0};
  std::atomic<std::size_t> held_journal_bytes_{0};

  // Of the storage thread:
  const std::unique_ptr<DatabasePlace> place_;
  std::unique_ptr<MessageStore> store_;
  Housekeeping housekeeping_;
  bool misplaced_ = false;
  Clock::time_point look_at_{};
  PendingWrites taken_;  // on the way from the loop, not looked at yet
  PendingWrites held_;
  std::vector<Waiting> jobs_;
  bool failing_ = false;
  Clock::time_point retry_at_{};
  Clock::duration pause_{};

  std::thread thread_;
};

}  // namespace relay::storage
