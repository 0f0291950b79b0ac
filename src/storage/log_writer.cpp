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
// Between two looks at what may be deleted, and between the steps of one.
constexpr auto kRetentionPeriod = 2s;
constexpr auto kRetentionStepPause = 5ms;
// Also between two looks at the files while there is nothing to write.
constexpr auto kLongestSleep = 10s;
// Between two looks at all closed sessions, while the log is not too large.
constexpr auto kForgetPeriod = 60s;

}  // namespace

LogWriter::LogWriter(std::unique_ptr<MessageStore> store, std::unique_ptr<DatabasePlace> place,
                     const LogOptions& options, Logger log)
    : max_queued_bytes_(options.max_pending_bytes / 4),
      max_held_bytes_(options.max_pending_bytes - max_queued_bytes_),
      group_commit_(options.group_commit),
      look_period_(options.look_period),
      log_(std::move(log)),
      has_more_(options.has_more),
      order_(store->written_order()),
      place_(std::move(place)),
      store_(std::move(store)),
      limits_(limits_of(options)) {
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
  status.deleted_messages = deleted_messages_;
  status.forgotten_sessions = forgotten_sessions_;
  status.wal_bytes = wal_bytes_;
  status.disk_free_bytes = disk_free_bytes_;
  const std::lock_guard lock(mutex_);
  status.writable = writable_;
  status.last_error = last_error_;
  status.pending_bytes = held_bytes_ + queued_.bytes();
  return status;
}

std::size_t LogWriter::backlog() const {
  const std::lock_guard lock(mutex_);
  if (!writable_) return 0;
  return held_bytes_ + queued_.bytes() + held_journal_bytes_ + queued_.journal_bytes();
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
    retain();
    forget_audit();
    erase_unused();
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
  if (queued_limits_) take(*std::exchange(queued_limits_, std::nullopt));
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
  auto turn = Clock::now() + kLongestSleep;
  // Nothing is deleted or erased until then.
  if (failing_) return std::min(turn, retry_at_);
  if (limits_.messages.any()) turn = std::min(turn, retain_at_);
  if (limits_.audit.any()) turn = std::min(turn, forget_audit_at_);
  if (store_->has_unused()) turn = std::min(turn, erase_at_);
  return turn;
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
    if (closes) retain_at_ = {};
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

// All of it is looked at by them, from the beginning.
void LogWriter::take(const LogLimits& limits) {
  limits_ = limits;
  retain_place_ = 0;
  forgetting_ = true;
  was_too_large_ = false;
  retain_at_ = {};
  forget_audit_at_ = {};
}

void LogWriter::retain() {
  if (!limits_.messages.any() || failing_ || Clock::now() < retain_at_) return;
  const bool too_large =
      limits_.messages.bytes > 0 && store_->size().bytes > limits_.messages.bytes;
  if (too_large && !was_too_large_) {
    // Sessions that could stay until now go first, the oldest before others.
    forgetting_ = true;
    retain_place_ = 0;
  }
  was_too_large_ = too_large;
  const auto step =
      forgetting_ ? store_->forget_empty(limits_.messages, wall_now(), retain_place_, has_more_)
                  : store_->retain(limits_.messages, wall_now(), retain_place_);
  if (!step) {
    // Deleting may fail where nothing is broken (a full disk has its own report); it comes round
    // again.
    log_.debug("old messages could not be deleted", {{"reason", step.error().explanation}});
  }
  if (step) {
    (forgetting_ ? forgotten_sessions_ : deleted_messages_) +=
        static_cast<std::uint64_t>(step->deleted);
  }
  const bool done = !step || step->done;
  retain_place_ = done ? 0 : step->place;
  retain_at_ = Clock::now();
  if (done && !forgetting_) {
    forgetting_ = too_large || Clock::now() >= forget_at_;
    retain_at_ += kRetentionPeriod;
    return;
  }
  if (done) {
    // Messages go when there are no sessions left that could go instead.
    forgetting_ = false;
    forget_at_ = Clock::now() + kForgetPeriod;
  }
  retain_at_ += kRetentionStepPause;
}

void LogWriter::forget_audit() {
  if (!limits_.audit.any() || failing_ || Clock::now() < forget_audit_at_) return;
  const auto done = store_->forget_audit(limits_.audit, wall_now());
  if (!done) {
    log_.debug("the audit trail could not be shortened", {{"reason", done.error().explanation}});
  }
  forget_audit_at_ = Clock::now() + (!done || *done ? kForgetPeriod : kRetentionStepPause);
}

void LogWriter::erase_unused() {
  if (!store_->has_unused() || failing_ || Clock::now() < erase_at_) return;
  const auto more = store_->erase_unused();
  erase_at_ = Clock::now() + (more ? kRetentionStepPause : kRetentionPeriod);
  if (!more && !erasing_fails_) {
    log_.warn("what was deleted can't be taken off the disk yet, it is tried again",
              {{"reason", more.error().explanation}});
  }
  // While there are more, it is not known of those that failed.
  if (!more || !*more) erasing_fails_ = !more;
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
}

}  // namespace relay::storage
