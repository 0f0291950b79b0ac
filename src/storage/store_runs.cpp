// Messages in the index: the runs that they belong to, and the calls that are open between them.
#include "storage/store_statements.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace relay::storage {
namespace {

// What a group says of one call.
struct CallState {
  Sequence request = 0;  // 0: it was made before
  Sequence answer = 0;
  bool to_agent = false;  // the answer
};

}  // namespace

bool MessageStore::insert_messages(HeldWrites writes, WriteCount& count) {
  batch_.clear();
  bool several_sessions = false;
  SessionKey last_key;
  std::optional<std::int64_t> last_number;
  for (const auto& entry : writes) {
    const auto* write = std::get_if<MessagesWrite>(&entry.write);
    if (write == nullptr) continue;
    if (write->session != last_key) {
      last_key = write->session;
      const auto number = number_of(last_key);
      if (!number) return false;
      last_number = *number;
    }
    if (!last_number) {
      count.dropped += static_cast<std::uint64_t>(write->summary.count());
      continue;
    }
    several_sessions |= !batch_.empty() && batch_.front().session != *last_number;
    batch_.push_back({*last_number, write});
  }
  if (several_sessions) std::ranges::stable_sort(batch_, {}, &NumberedBatch::session);
  std::optional<Run> run;
  for (const auto& [session, batch] : batch_) {
    if (run && run->session == session && extend(*run, *batch)) continue;
    if (run && !insert_run(*run, count)) return false;
    run = run_of(session, *batch);
  }
  return (!run || insert_run(*run, count)) && note_calls(batch_);
}

bool MessageStore::insert_run(const Run& run, WriteCount& count) {
  const std::string extents = packed(run.extents);
  const bool inserted = statements_->insert_run.bind(1, run.session)
                            .bind(2, run.first)
                            .bind(3, run.last)
                            .bind(4, milliseconds(run.newest))
                            .bind(5, std::int64_t{run.segment})
                            .bind(6, run.bytes)
                            .bind(7, run.requests)
                            .bind_blob(8, run.segment == 0 ? run.entries : extents)
                            .run() == Step::kDone;
  if (!inserted) {
    if (!database_.refuses_the_row()) return false;
    const bool is_too_big = database_.is_too_big();
    count.dropped += static_cast<std::uint64_t>(run.count());
    return !is_too_big || insert_gap(run.session, {run.first, run.last});
  }
  count.written += static_cast<std::uint64_t>(run.count());
  rows_ += run.count();
  if (run.segment != 0) {
    journal_bytes_ += run.bytes;
    files_.used(run.segment);
  }
  return statements_->reached.bind(1, run.session)
             .bind(2, run.last)
             .bind(3, milliseconds(run.newest))
             .run() == Step::kDone;
}

// Calls that begin and end within the group leave nothing; an answer to the agent stays until it is
// known to be written.
bool MessageStore::note_calls(std::span<const NumberedBatch> batches) {
  std::map<std::pair<std::int64_t, std::int64_t>, CallState> calls;
  for (const auto& [session, batch] : batches) {
    for (const CallMark& mark : batch->summary.calls) {
      CallState& call = calls[{session, mark.call}];
      (mark.is_answer ? call.answer : call.request) = mark.sequence;
      if (mark.is_answer) call.to_agent = mark.to_agent;
    }
  }
  for (const auto& [key, call] : calls) {
    const auto [session, number] = key;
    const bool answered = call.answer > 0;
    const bool kept = !answered || call.to_agent;
    if (kept && call.request > 0 &&
        statements_->begin_call.bind(1, session).bind(2, number).bind(3, call.request).run() !=
            Step::kDone &&
        !database_.refuses_the_row()) {
      return false;
    }
    if (!answered) continue;
    if (call.to_agent) unsent_.insert(session);
    Statement& end = call.to_agent ? statements_->answer_call : statements_->end_call;
    if (!kept && call.request > 0) continue;
    end.bind(1, session).bind(2, number);
    if (call.to_agent) end.bind(3, call.answer);
    if (end.run() != Step::kDone) return false;
  }
  return true;
}

bool MessageStore::forget_sent_answers(std::int64_t session, Sequence input) {
  if (input == 0 || !unsent_.contains(session)) return true;
  if (statements_->forget_answers.bind(1, session).bind(2, input).run() != Step::kDone)
    return false;
  Statement& left = statements_->unsent_answers;
  const ResetAtExit reset(left);
  if (left.bind(1, session).bind(2, Sequence{0}).step() == Step::kDone) unsent_.erase(session);
  return true;
}

Result<void> MessageStore::sync_bodies(HeldWrites writes) {
  if (!sync_) return {};
  std::set<std::uint32_t> segments;
  for (const auto& entry : writes) {
    const auto* write = std::get_if<MessagesWrite>(&entry.write);
    if (write != nullptr && write->place.segment != 0) segments.insert(write->place.segment);
  }
  for (const std::uint32_t segment : segments) {
    auto synced = files_.sync(segment);
    if (!synced) return synced;
  }
  return {};
}

bool MessageStore::delete_run(std::int64_t run) {
  Statement& statement = statements_->delete_run;
  const ResetAtExit reset(statement);
  if (statement.bind(1, run).step() != Step::kRow) return false;
  const auto segment = static_cast<std::uint32_t>(statement.column_number(0));
  if (segment != 0) journal_bytes_ -= statement.column_number(1);
  return statement.step() == Step::kDone;
}

bool MessageStore::uses_segment(std::uint32_t segment) {
  Statement& statement = statements_->uses_segment;
  const ResetAtExit reset(statement);
  // Where it can't be asked the file stays.
  return statement.bind(1, std::int64_t{segment}).step() != Step::kRow ||
         statement.column_number(0) != 0;
}

void MessageStore::segment_ended(std::uint32_t segment) {
  if (uses_segment(segment)) return files_.ended(segment);
  // What is still there is known, and tried again: by a start at the latest.
  if (!files_.remove(segment)) return;
  // Rows of a file that is gone do no harm, should they stay.
  release(statements_->forget_entries.bind(1, std::int64_t{segment}));
  statements_->forget_segment.bind(1, std::int64_t{segment}).run();
}

}  // namespace relay::storage
