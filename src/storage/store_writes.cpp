#include "storage/store_statements.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <type_traits>

namespace relay::storage {
namespace {

std::int64_t milliseconds(WallTime time) { return time.time_since_epoch().count(); }

// Failures that belong to one row and would come back with every attempt.
bool concerns_the_row(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<WriteCount> MessageStore::write(HeldWrites writes) {
  const std::int64_t place_before = next_place_;
  const std::int64_t rows_before = rows_;
  if (writes.empty()) return WriteCount();
  const std::uint64_t order = writes.back().order;
  WriteCount count;
  progress_.clear();
  if (statements_->begin.run() != Step::kDone) return failure("cannot begin to write");
  // Sessions first: their rows have to be there for the messages, whatever the order in the group.
  const bool applied =
      std::all_of(writes.begin(), writes.end(),
                  [this](const auto& entry) { return apply_session_write(entry.write); }) &&
      insert_messages(writes, count) && write_progress() &&
      statements_->written_order.bind(1, static_cast<std::int64_t>(order)).run() == Step::kDone;
  if (applied && statements_->commit.run() == Step::kDone) {
    written_order_ = order;
    return count;
  }
  next_place_ = place_before;
  rows_ = rows_before;
  auto problem = undone("cannot write");
  return std::move(problem.error());
}

void MessageStore::settled() {
  for (const std::int64_t number : closed_) reopened_.erase(number);
  closed_.clear();
}

Result<void> MessageStore::undone(std::string what) {
  Error error = failure(std::move(what));
  // Some failures end the transaction by themselves; then there is nothing to roll back.
  if (sqlite3_get_autocommit(database_.handle()) == 0) {
    const auto rolled_back = database_.execute("ROLLBACK");
    static_cast<void>(rolled_back);
  }
  return error;
}

bool MessageStore::apply_session_write(const Write& write) {
  if (std::holds_alternative<MessageWrite>(write)) return true;
  if (const auto* create = std::get_if<std::unique_ptr<SessionCreate>>(&write)) {
    return create_session(**create);
  }
  if (const auto* gap = std::get_if<GapWrite>(&write)) {
    const auto number = number_of(gap->session);
    return !number || insert_gap(*number, gap->gap);
  }
  if (const auto* progress = std::get_if<ProgressWrite>(&write)) {
    progress_[progress->session].advance(progress->progress);
    return true;
  }
  if (std::holds_alternative<std::unique_ptr<SegmentEnd>>(write)) return true;
  if (const auto* change = std::get_if<std::unique_ptr<SessionChange>>(&write)) {
    const SessionRecord& record = (*change)->record;
    return statements_->change_session.bind(1, record.id.value())
               .bind(2, record.agent_session_id)
               .bind(3, record.working_directory)
               .bind(4, record.title)
               .bind(5, record.last_sequence)
               .bind(6, milliseconds(record.updated_at))
               .bind(7, record.agent_profile)
               .bind(8, record.agent_settings)
               .run() == Step::kDone;
  }
  const SessionClose& close = *std::get<std::unique_ptr<SessionClose>>(write);
  if (reopened_.contains(close.number)) closed_.push_back(close.number);
  return statements_->close_session.bind(1, close.id.value())
             .bind(2, milliseconds(close.at))
             .bind(3, close.cause)
             .run() == Step::kDone;
}

bool MessageStore::create_session(const SessionCreate& write) {
  const SessionRecord& record = write.record;
  Statement& statement = statements_->create_session;
  const ResetAtExit reset(statement);
  statement.bind(1, write.number)
      .bind(2, record.id.value())
      .bind(3, record.agent_session_id)
      .bind(4, record.owner)
      .bind(5, record.working_directory)
      .bind(6, record.isolation)
      .bind(7, record.title)
      .bind(8, milliseconds(record.created_at))
      .bind(10, record.cause)
      .bind(11, record.last_sequence)
      .bind(12, record.agent)
      .bind(13, milliseconds(record.updated_at))
      .bind(14, record.agent_profile)
      .bind(15, record.agent_settings);
  if (record.closed_at) {
    statement.bind(9, milliseconds(*record.closed_at));
  } else {
    statement.bind_null(9);
  }
  if (statement.step() != Step::kRow) return false;
  const std::int64_t number = statement.column_number(0);
  if (statement.step() != Step::kDone) return false;
  // It has another agent from here on.
  std::erase_if(progress_, [&](const auto& entry) { return number_of(entry.first) == number; });
  if (number != write.number) {
    reopened_[write.number] = number;
    return true;
  }
  reopened_.erase(number);
  // A session that goes on but has no row was erased: what came before is not there.
  return record.last_sequence == 0 || insert_gap(number, {1, record.last_sequence});
}

bool MessageStore::insert_gap(std::int64_t session, Gap gap) {
  Statement& previous = statements_->previous_gap;
  std::optional<std::int64_t> extended;
  if (previous.bind(1, session).bind(2, gap.from).step() == Step::kRow) {
    extended = previous.column_number(0);
  }
  previous.reset();
  Statement& statement = extended ? statements_->extend_gap : statements_->insert_gap;
  statement.bind(1, session).bind(2, extended.value_or(gap.from)).bind(3, gap.to);
  const bool kept = statement.run() == Step::kDone || concerns_the_row(database_.error_code());
  return kept &&
         statements_->reached.bind(1, session).bind(2, gap.to).bind(3, std::int64_t{0}).run() ==
             Step::kDone;
}

bool MessageStore::insert_messages(HeldWrites writes, WriteCount& count) {
  batch_.clear();
  bool several_sessions = false;
  SessionKey last_key;
  std::optional<std::int64_t> last_number;
  for (const auto& entry : writes) {
    const auto* write = std::get_if<MessageWrite>(&entry.write);
    if (write == nullptr) continue;
    if (write->session != last_key) {
      last_key = write->session;
      last_number = number_of(last_key);
    }
    if (!last_number) {
      ++count.dropped;
      continue;
    }
    several_sessions |= !batch_.empty() && batch_.front().session != *last_number;
    batch_.push_back({*last_number, &write->message});
  }
  if (several_sessions) {
    std::ranges::stable_sort(batch_, {}, &NumberedMessage::session);
  }
  for (std::size_t begin = 0; begin < batch_.size();) {
    std::size_t end = begin + 1;
    while (end < batch_.size() && batch_[end].session == batch_[begin].session &&
           batch_[end].message->sequence == batch_[end - 1].message->sequence + 1) {
      ++end;
    }
    if (!insert_run(std::span(batch_).subspan(begin, end - begin), count)) return false;
    begin = end;
  }
  return true;
}

bool MessageStore::insert_run(std::span<const NumberedMessage> run, WriteCount& count) {
  const std::int64_t session = run.front().session;
  const Sequence first = run.front().message->sequence;
  const Sequence last = run.back().message->sequence;
  Statement& insert_run = statements_->insert_run;
  insert_run.bind(1, session).bind(2, first).bind(3, last).bind(4, next_place_);
  if (insert_run.run() != Step::kDone) {
    if (!concerns_the_row(database_.error_code())) return false;
    count.dropped += run.size();
    return true;
  }
  Statement& insert = statements_->insert_message;
  insert.bind(1, session);
  for (const auto& [number, message] : run) {
    insert.bind(2, message->sequence)
        .bind(3, static_cast<std::int64_t>(message->origin))
        .bind(4, static_cast<std::int64_t>(message->kind))
        .bind(5, std::int64_t{message->to_client})
        .bind(6, message->method)
        .bind(7, message->rpc_id)
        .bind(8, milliseconds(message->time))
        .bind(9, message->body.view())
        .bind(10, next_place_++)
        .bind(11, message->call)
        .bind(12, message->peer_id);
    if (insert.run() == Step::kDone) {
      ++count.written;
    } else if (concerns_the_row(database_.error_code())) {
      ++count.dropped;
      if (!insert_gap(session, {message->sequence, message->sequence})) return false;
    } else {
      return false;
    }
  }
  rows_ += static_cast<std::int64_t>(run.size());
  return statements_->reached.bind(1, session)
             .bind(2, last)
             .bind(3, milliseconds(run.back().message->time))
             .run() == Step::kDone;
}

// Once a session and group: only the last word counts.
bool MessageStore::write_progress() {
  for (const auto& [session, progress] : progress_) {
    const auto number = number_of(session);
    if (!number) continue;
    const OutputPosition& output = progress.output;
    const bool written = statements_->progress.bind(1, *number)
                             .bind(2, static_cast<std::int64_t>(output.bytes))
                             .bind(3, static_cast<std::int64_t>(output.first_line))
                             .bind(4, static_cast<std::int64_t>(output.last_line))
                             .bind(5, progress.input)
                             .bind(6, progress.prompt)
                             .run() == Step::kDone;
    if (!written) return false;
  }
  return true;
}

std::optional<std::int64_t> MessageStore::number_of(const SessionKey& session) {
  if (session.number == 0) return number_of(session.id);
  if (reopened_.empty()) return session.number;
  const auto known = reopened_.find(session.number);
  return known == reopened_.end() ? session.number : known->second;
}

std::optional<std::int64_t> MessageStore::number_of(const std::string& id) {
  Statement& statement = statements_->session_number;
  const ResetAtExit reset(statement);
  if (statement.bind(1, id).step() != Step::kRow) return std::nullopt;
  return statement.column_number(0);
}

}  // namespace relay::storage
