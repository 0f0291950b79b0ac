#include "storage/log_writer.hpp"

#include "storage/journal.hpp"

#include <algorithm>
#include <iterator>
#include <pthread.h>
#include <signal.h>
#include <utility>

namespace relay::storage {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kGroupRows = 2000;
constexpr std::size_t kGroupBytes = 1u << 20;
constexpr auto kFirstPause = 100ms;
constexpr auto kLongestPause = 5s;
// Also between two looks at the files while there is nothing to write.
constexpr auto kLongestSleep = 10s;

}  // namespace

LogWriter::LogWriter(std::unique_ptr<MessageStore> store, std::unique_ptr<DatabasePlace> place,
                     const LogOptions& options, Logger log)
    : max_queued_bytes_(options.max_pending_bytes / 4),
      max_held_bytes_(options.max_pending_bytes - max_queued_bytes_),
      max_backlog_(max_backlog(options.max_pending_bytes)),
      group_commit_(options.group_commit),
      look_period_(options.look_period),
      log_(std::move(log)),
      order_(store->written_order()),
      place_(std::move(place)),
      store_(std::move(store)),
      housekeeping_(limits_of(options), options.has_more, log_) {
  if (place_) measure();
}

void LogWriter::start() {
  // Signals are the loop's: its thread is the one that waits for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() { finish(); }

void LogWriter::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool LogWriter::group_is_full() const {
  return queued_.bytes() >= std::min(kGroupBytes, max_queued_bytes_ / 2) ||
         queued_.size() >= kGroupRows;
}

// What is not held by the storage thread is the queue's, so that nothing is given up below the
// bound.
std::size_t LogWriter::queue_room() const {
  return max_queued_bytes_ + max_held_bytes_ - std::min(held_bytes_.load(), max_held_bytes_);
}

void LogWriter::segment_begun(Journal::Begun segment) {
  const std::lock_guard lock(mutex_);
  begun_.push_back(std::move(segment));
}

void LogWriter::push(std::vector<Write>& writes) {
  std::unique_lock lock(mutex_);
  for (Write& write : writes) queued_.push(std::move(write), ++order_);
  writes.clear();
  pushed(std::move(lock));
}

void LogWriter::pushed(std::unique_lock<std::mutex> lock) {
  bool wake = false;
  if (!writable_) lost_ += queued_.give_up(queue_room());
  note_backlog();
  if (activity_ == Activity::kIdle) {
    activity_ = Activity::kGathering;
    wake = true;
  } else if (activity_ == Activity::kGathering && !told_full_ && group_is_full()) {
    told_full_ = true;
    wake = true;
  }
  lock.unlock();
  if (wake) wake_.notify_one();
}

void LogWriter::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    queued_jobs_.push_back({std::move(job), order_});
  }
  wake_.notify_one();
}

void LogWriter::change_limits(const LogLimits& limits) {
  {
    const std::lock_guard lock(mutex_);
    queued_limits_ = limits;
  }
  wake_.notify_one();
}

LogStatus LogWriter::status() const {
  LogStatus status;
  status.lost_messages = lost_;
  status.written_messages = written_;
  status.deleted_messages = housekeeping_.deleted_messages();
  status.forgotten_sessions = housekeeping_.forgotten_sessions();
  status.wal_bytes = wal_bytes_;
  status.disk_free_bytes = disk_free_bytes_;
  const std::lock_guard lock(mutex_);
  status.writable = writable_;
  status.last_error = last_error_;
  status.pending_bytes = held_bytes_ + queued_.bytes();
  status.backlog = waiting();
  HeldBack held_back = held_back_;
  status.held_back_for = held_back.note(status.backlog > max_backlog_, Clock::now());
  return status;
}

std::size_t LogWriter::backlog() const {
  const std::lock_guard lock(mutex_);
  return waiting();
}

// Under mutex_, as the next one.
std::size_t LogWriter::waiting() const {
  if (!writable_) return 0;
  return held_bytes_ + queued_.bytes() + held_journal_bytes_ + queued_.journal_bytes();
}

void LogWriter::note_backlog() {
  const bool is_behind = waiting() > max_backlog_;
  if (is_behind || held_back_.is_behind()) held_back_.note(is_behind, Clock::now());
}

void LogWriter::run() {
  pthread_setname_np(pthread_self(), "storage");
  bool stopping = false;
  while (!stopping) {
    stopping = wait_and_take();
    if (stopping) retry_soon();
    if (failing_) lost_ += held_.give_up(max_held_bytes_);
    publish();
    commit_held(stopping);
    run_jobs(stopping);
    tell_lost();
    if (!failing_) housekeeping_.work(*store_);
  }
  if (!held_.empty()) {
    log_.error("messages could not be written before the end",
               {{"entries", held_.size()}, {"bytes", held_.bytes()}});
  }
}

bool LogWriter::wait_and_take() {
  const auto turn = next_turn();
  std::unique_lock lock(mutex_);
  const auto urgent = [this] { return stopping_ || !queued_jobs_.empty() || queued_limits_; };
  activity_ = queued_.empty() ? Activity::kIdle : Activity::kGathering;
  wake_.wait_until(lock, turn, [&] { return urgent() || !queued_.empty(); });
  activity_ = Activity::kGathering;
  told_full_ = group_is_full();
  if (!queued_.empty() && !told_full_ && !urgent()) {
    wake_.wait_until(lock, Clock::now() + group_commit_,
                     [&] { return urgent() || group_is_full(); });
  }
  activity_ = Activity::kBusy;
  std::vector<Journal::Begun> begun = std::exchange(begun_, {});
  taken_.take(queued_);
  jobs_.insert(jobs_.end(), std::make_move_iterator(queued_jobs_.begin()),
               std::make_move_iterator(queued_jobs_.end()));
  queued_jobs_.clear();
  if (queued_limits_) housekeeping_.take(*std::exchange(queued_limits_, std::nullopt));
  // What is beyond the bound is given up at once, by this thread: new messages get that room
  // already.
  const std::size_t bytes = held_.bytes() + taken_.bytes();
  held_bytes_ = failing_ ? std::min(bytes, max_held_bytes_) : bytes;
  held_journal_bytes_ = held_.journal_bytes() + taken_.journal_bytes();
  const bool stopping = stopping_;
  lock.unlock();
  for (Journal::Begun& segment : begun) {
    store_->segment_begun(segment.number, std::move(segment.file));
  }
  held_.take(taken_);
  return stopping;
}

LogWriter::Clock::time_point LogWriter::next_turn() const {
  const auto latest = Clock::now() + kLongestSleep;
  // Nothing is deleted or erased while nothing can be written.
  return failing_ ? std::min(latest, retry_at_) : housekeeping_.next_turn(*store_, latest);
}

void LogWriter::commit_held(bool stopping) {
  if (failing_ && Clock::now() < retry_at_) return;
  if (!is_in_place(stopping)) return;
  while (!held_.empty()) {
    const auto group = held_.group(kGroupRows, kGroupBytes);
    const auto count = store_->write(group);
    if (!count) {
      failed(count.error());
      return;
    }
    // Messages of sessions that have just been closed may be deleted: that is worth a look at once.
    const bool closes = std::ranges::any_of(group, [](const auto& entry) {
      return std::holds_alternative<std::unique_ptr<SessionClose>>(entry.write);
    });
    if (closes) housekeeping_.look_soon();
    end_segments(group);
    held_.pop(group.size());
    written_ += count->written;
    lost_ += count->dropped;
    publish();
    if (failing_) recovered();
  }
  store_->settled();
}

void LogWriter::measure() {
  wal_bytes_ = place_->wal_bytes();
  disk_free_bytes_ = place_->disk_free_bytes();
}

// What is written elsewhere than at the path is lost at the end.
bool LogWriter::is_in_place(bool look) {
  if (!place_ || (!look && !misplaced_ && Clock::now() < look_at_)) return true;
  look_at_ = Clock::now() + look_period_;
  measure();
  std::string moved = place_->moved();
  const bool database_is_there = moved.empty();
  const std::uint32_t segment = store_->moved_segment();
  if (database_is_there) place_->is_back();
  if (database_is_there && segment != 0) moved = journal_path(place_->path(), segment);
  if (moved.empty()) {
    if (misplaced_) back_in_place();
    return true;
  }
  if (!misplaced_) {
    log_.error(
        "a file of the database was deleted or replaced under the running relay, all that "
        "it had is put back",
        {{"path", moved},
         {"remedy", "stop the relay before you touch the files of database.path"}});
    if (moved_) moved_();
  }
  misplaced_ = true;
  auto restored = put_back(database_is_there);
  if (!restored) {
    Error why = std::move(restored.error());
    why.explanation = moved + " was deleted or replaced and cannot be put back: " + why.explanation;
    failed(why);
    return false;
  }
  back_in_place();
  return true;
}

Result<void> LogWriter::put_back(bool database_is_there) {
  if (!database_is_there) {
    auto restored = place_->restore(*store_);
    if (!restored) return std::move(restored.error());
    store_->leave();
    store_ = std::move(*restored);
  }
  return store_->put_back_segments();
}

void LogWriter::back_in_place() {
  misplaced_ = false;
  log_.warn("the database is at its path again", {{"path", place_->path()}});
  if (moved_) moved_();
  if (failing_) recovered();
}

void LogWriter::end_segments(HeldWrites written) {
  for (const auto& entry : written) {
    const auto* const end = std::get_if<std::unique_ptr<SegmentEnd>>(&entry.write);
    if (end == nullptr) continue;
    const std::uint32_t number = (*end)->segment.number();
    if (segment_ended_) segment_ended_(std::move((*end)->segment));
    store_->segment_ended(number);
  }
}

void LogWriter::run_jobs(bool stopping) {
  std::vector<Waiting> still_waiting;
  for (Waiting& waiting : jobs_) {
    const bool settled = held_.empty() || held_.entries().front().order > waiting.after_order;
    if (waiting.job->wants_settled_writes() && !settled && !stopping) {
      still_waiting.push_back(std::move(waiting));
    } else {
      waiting.job->run(*store_, held_.entries());
    }
  }
  jobs_ = std::move(still_waiting);
}

void LogWriter::tell_lost() {
  for (const std::string& reason : store_->take_lost()) {
    log_.warn("messages that the disk has lost are a gap",
              {{"reason", reason},
               {"remedy", "see to the disk of database.path; acp-relay backup copies the others"}});
  }
}

void LogWriter::failed(const Error& why) {
  pause_ = failing_ ? std::min<Clock::duration>(pause_ * 2, kLongestPause) : kFirstPause;
  retry_at_ = Clock::now() + pause_;
  {
    const std::lock_guard lock(mutex_);
    writable_ = false;
    last_error_ = why.explanation;
    note_backlog();
  }
  if (!failing_) {
    log_.error("the message log cannot be written, messages are kept in memory",
               {{"reason", why.explanation},
                {"remedy", why.suggested_actions.empty() ? "make room on the disk of database.path"
                                                         : why.suggested_actions.front()}});
  }
  failing_ = true;
}

void LogWriter::recovered() {
  failing_ = false;
  {
    const std::lock_guard lock(mutex_);
    writable_ = true;
    last_error_.clear();
  }
  log_.info("the message log is written again", {{"lost_messages", lost_.load()}});
}

void LogWriter::publish() {
  held_bytes_ = held_.bytes();
  held_journal_bytes_ = held_.journal_bytes();
  const std::lock_guard lock(mutex_);
  note_backlog();
}

}  // namespace relay::storage
