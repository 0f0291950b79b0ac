// Deleting a session, a step at a time: a transaction holds up everything else on the thread.
#include "storage/store_statements.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <string>
#include <utility>

namespace relay::storage {
namespace {

// A step is a few milliseconds, whatever the runs are like: one message each, or full groups.
constexpr std::int64_t kMaxRowsOfErasure = 2000;
constexpr std::int64_t kMaxRunsOfStep = 256;
constexpr std::size_t kMaxStretchesOfStep = 2000;
constexpr std::size_t kMostFailuresOfRow = 4;
// A disk may first have to write what is then erased.
constexpr std::chrono::milliseconds kLongestStep(10);

}  // namespace

Result<EraseStep> MessageStore::erase(const SessionId& session) {
  auto found = find(session, {});
  if (!found) return std::move(found.error());
  if (!*found) {
    return make_error(ErrorType::kSessionNotFound, "there is no session " + session.value())
        .suggest("session/list shows the sessions there are");
  }
  // Nobody uses an open one that bears a cause. It is not closed first: what is left of it when
  // this fails is still known for what it is.
  if (!(*found)->closed_at && (*found)->cause.empty()) {
    return make_error(ErrorType::kInvalidParams, "the session " + session.value() + " is open")
        .suggest("close it, then delete it");
  }
  const auto number = number_of(session.value());
  if (!number || !*number) return failure("cannot find the session");

  struct Candidate {
    std::int64_t number, first, rows;
  };
  std::vector<Candidate> runs;
  std::int64_t rows = 0;
  bool is_all = true;
  {
    Statement& oldest = statements_->oldest_runs;
    const ResetAtExit reset(oldest);
    oldest.bind(1, **number).bind(2, kMaxRunsOfStep + 1);
    Step step = Step::kDone;
    while ((step = oldest.step()) == Step::kRow) {
      const std::int64_t of_run = oldest.column_number(2);
      is_all =
          std::ssize(runs) < kMaxRunsOfStep && (runs.empty() || rows + of_run <= kMaxRowsOfErasure);
      if (!is_all) break;
      runs.push_back({oldest.column_number(0), oldest.column_number(1), of_run});
      rows += of_run;
    }
    if (step == Step::kFailed) return failure("cannot read what is to be deleted");
  }

  if (statements_->begin.run() != Step::kDone) return failure("cannot begin to delete");
  const std::int64_t bytes_before = journal_bytes_;
  bool intact = true;
  for (const Candidate& run : runs) {
    intact = intact && delete_run(run.number) &&
             (is_all || insert_gap(**number, {run.first, run.first + run.rows - 1}));
  }
  if (is_all) intact = intact && delete_session(**number);
  if (!intact || statements_->commit.run() != Step::kDone) {
    journal_bytes_ = bytes_before;
    auto problem = undone("cannot delete the session");
    return std::move(problem.error());
  }
  rows_ -= rows;
  has_unused_ = true;
  return EraseStep{is_all};
}

bool MessageStore::delete_session(std::int64_t session) {
  return release(statements_->release_entries.bind(1, session)) &&
         statements_->delete_session.bind(1, session).run() == Step::kDone;
}

Result<bool> MessageStore::erase_unused() {
  const auto end = std::chrono::steady_clock::now() + kLongestStep;
  std::int64_t last = sweep_.after;
  std::size_t done = 0;  // rows that are left out count, too
  std::set<std::uint32_t> segments;
  std::vector<std::int64_t> erased;
  bool is_at_end = false;
  {
    Statement& unused = statements_->unused;
    const ResetAtExit reset(unused);
    unused.bind(1, sweep_.after);
    Step step = Step::kRow;
    const auto goes_on = [&] {
      return done == 0 || (done < kMaxStretchesOfStep && std::chrono::steady_clock::now() < end);
    };
    while (goes_on() && (step = unused.step()) == Step::kRow) {
      last = unused.column_number(0);
      const auto segment = static_cast<std::uint32_t>(unused.column_number(1));
      segments.insert(segment);
      ++done;
      if (sweep_.failing.contains(segment) || sweep_.failed.contains(last)) continue;
      const std::vector<Extent> extents = unpacked(unused.column_view(2));
      done += extents.size();
      auto is_erased = erase_extents(segment, extents);
      if (is_erased) {
        erased.push_back(last);
        continue;
      }
      sweep_.failing.insert(segment);
      sweep_.failed.insert(last);
      sweep_.problem = std::move(is_erased.error());
    }
    if (step == Step::kFailed) return failure("cannot read what is to be erased");
    is_at_end = step == Step::kDone;
  }
  // What is erased twice, because this was not written, is no harm: its place is not used again.
  auto noted = note_erased(erased);
  if (!noted) return std::move(noted.error());
  for (const std::uint32_t segment : segments) {
    if (segment < unread_segment_) segment_ended(segment);
  }
  sweep_.has_erased = sweep_.has_erased || !erased.empty();
  sweep_.after = last;
  return is_at_end ? end_sweep() : Result<bool>(true);
}

Result<bool> MessageStore::erase_unused_up_to(std::int64_t last) {
  auto more = erase_unused();
  if (!more || !*more) return more;
  const auto left =
      database_.number("SELECT coalesce((SELECT min(number) FROM unused), " +
                       std::to_string(std::numeric_limits<std::int64_t>::max()) + ")");
  if (!left) return left.error();
  return *left <= last;
}

Result<std::int64_t> MessageStore::last_unused() {
  return database_.number("SELECT coalesce((SELECT max(number) FROM unused), 0)");
}

Result<void> MessageStore::erase_extents(std::uint32_t segment,
                                         const std::vector<Extent>& extents) {
  Result<void> all;
  std::size_t failures = 0;
  for (const Extent extent : extents) {
    auto one = files_.erase(segment, extent);
    if (one) continue;
    all = std::move(one);
    // A disk that is dying takes seconds for each.
    if (++failures == kMostFailuresOfRow) break;
  }
  return all;
}

Result<void> MessageStore::note_erased(const std::vector<std::int64_t>& rows) {
  if (rows.empty()) return {};
  if (statements_->begin.run() != Step::kDone) return failure("cannot note what was erased");
  const bool intact = std::ranges::all_of(rows, [this](std::int64_t row) {
    return statements_->forget_unused.bind(1, row).run() == Step::kDone;
  });
  if (intact && statements_->commit.run() == Step::kDone) return {};
  return undone("cannot note what was erased");
}

Result<bool> MessageStore::end_sweep() {
  const auto left = database_.number("SELECT EXISTS (SELECT 1 FROM unused)");
  if (!left) return left.error();
  has_unused_ = *left != 0;
  Sweep ended = std::exchange(sweep_, {});
  if (!has_unused_) return false;
  // Where nothing was tried, those that failed are all there is.
  if (ended.problem || ended.has_erased) sweep_.failed = std::move(ended.failed);
  if (ended.problem && !ended.has_erased) return std::move(*ended.problem);
  // SQLite gives numbers again: what came meanwhile may have been behind.
  sweep_.failing = std::move(ended.failing);
  sweep_.problem = std::move(ended.problem);
  return true;
}

Result<RetentionStep> MessageStore::forget_empty(const RetentionLimits& limits, WallTime now,
                                                 std::int64_t after_number,
                                                 const HasMore& has_more) {
  struct Closed {
    std::int64_t number;
    WallTime at;
  };
  RetentionStep result{true, after_number, 0};
  std::vector<Closed> empty;
  {
    Statement& closed = statements_->closed_sessions;
    const ResetAtExit reset(closed);
    closed.bind(1, after_number);
    Step step = Step::kDone;
    while ((step = closed.step()) == Step::kRow) {
      result.done = false;
      result.place = closed.column_number(0);
      if (closed.column_number(4) != 0) continue;
      if (has_more && has_more(closed.column_text(2), closed.column_text(3))) continue;
      empty.push_back({result.place, WallTime(std::chrono::milliseconds(closed.column_number(1)))});
    }
    if (step == Step::kFailed) return failure("cannot read which sessions are empty");
  }
  if (empty.empty()) return result;
  const std::int64_t bytes_before = journal_bytes_;
  if (statements_->begin.run() != Step::kDone) return failure("cannot begin to delete");
  bool intact = true;
  for (const Closed& session : empty) {
    if (!may_be_forgotten(limits, size(), session.at, now)) continue;
    intact = delete_session(session.number);
    if (!intact) break;
    ++result.deleted;
  }
  if (intact && statements_->commit.run() == Step::kDone) {
    has_unused_ = true;
    return result;
  }
  journal_bytes_ = bytes_before;
  auto problem = undone("cannot delete sessions without messages");
  return std::move(problem.error());
}

}  // namespace relay::storage
