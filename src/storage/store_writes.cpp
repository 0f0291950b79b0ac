#include "storage/store_statements.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <variant>

namespace relay::storage {
namespace {

template <typename T>
const T& contents(const T& write) {
  return write;
}

template <typename T>
const T& contents(const std::unique_ptr<T>& write) {
  return *write;
}

}  // namespace

Result<WriteCount> MessageStore::write(HeldWrites writes) {
  if (writes.empty()) return WriteCount();
  const std::int64_t rows_before = rows_;
  const std::int64_t bytes_before = journal_bytes_;
  const std::int64_t audit_before = audit_rows_;
  const std::uint32_t unread_before = unread_segment_;
  const std::uint64_t order = writes.back().order;
  auto synced = sync_bodies(writes);
  if (!synced) return std::move(synced.error());
  WriteCount count;
  progress_.clear();
  if (statements_->begin.run() != Step::kDone) return failure("cannot begin to write");
  const auto apply_one = [this](const auto& write) { return apply(contents(write)); };
  // Sessions first: their rows have to be there for the messages, whatever the order in the group.
  const bool applied =
      std::all_of(writes.begin(), writes.end(),
                  [&](const auto& entry) { return std::visit(apply_one, entry.write); }) &&
      release_outdated() && insert_messages(writes, count) && write_progress() &&
      insert_audit(writes) &&
      (unread_segment_ == unread_before || set_property("unread_segment", unread_segment_)) &&
      set_property("written_order", static_cast<std::int64_t>(order));
  if (applied && statements_->commit.run() == Step::kDone) {
    written_order_ = order;
    files_.written_from(unread_segment_);
    return count;
  }
  rows_ = rows_before;
  journal_bytes_ = bytes_before;
  audit_rows_ = audit_before;
  unread_segment_ = unread_before;
  auto problem = undone("cannot write");
  return std::move(problem.error());
}

bool MessageStore::set_property(std::string_view name, std::int64_t value) {
  return statements_->set_property.bind(1, name).bind(2, value).run() == Step::kDone;
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

bool MessageStore::apply(const GapWrite& write) {
  const auto number = number_of(write.session);
  return number && note_unused(write.places) && (!*number || insert_gap(**number, write.gap));
}

bool MessageStore::apply(const ProgressWrite& write) {
  progress_[write.session].advance(write.progress);
  return true;
}

bool MessageStore::apply(const SegmentEnd& write) {
  unread_segment_ = std::max(unread_segment_, write.segment.number() + 1);
  return true;
}

bool MessageStore::apply(const UseWrite& write) {
  return statements_->use_upstreams.bind(1, write.id.value()).bind(2, write.upstream_use).run() ==
             Step::kDone &&
         note_last_word(write.id, EntryKind::kUse, write.places);
}

bool MessageStore::apply(const SessionChange& write) {
  const SessionRecord& record = write.record;
  return statements_->change_session.bind(1, record.id.value())
                 .bind(2, record.agent_session_id)
                 .bind(3, record.working_directory)
                 .bind(4, record.title)
                 .bind(5, record.last_sequence)
                 .bind(6, milliseconds(record.updated_at))
                 .bind(7, record.agent_profile)
                 .bind(8, record.agent_settings)
                 .bind(9, record.image)
                 .bind(10, record.image_id)
                 .run() == Step::kDone &&
         note_last_word(record.id, EntryKind::kState, write.places);
}

bool MessageStore::apply(const SessionClose& write) {
  if (reopened_.contains(write.number)) closed_.push_back(write.number);
  if (statements_->close_session.bind(1, write.id.value())
          .bind(2, milliseconds(write.at))
          .bind(3, write.cause)
          .run() != Step::kDone) {
    return false;
  }
  const auto number = number_of(write.id.value());
  if (!number) return false;
  return *number ? note_entries(**number, EntryKind::kLife, write.places)
                 : note_unused(write.places);
}

bool MessageStore::note_last_word(const SessionId& session, EntryKind kind,
                                  std::span<const EntryPlace> places) {
  const auto number = number_of(session.value());
  if (!number) return false;
  if (!*number) return note_unused(places);
  const auto own = places.first(std::min<std::size_t>(places.size(), 1));
  return outdate_entries(**number, kind, kind) && note_entries(**number, kind, own) &&
         note_entries(**number, EntryKind::kOutdated, places.subspan(own.size()));
}

bool MessageStore::note_entries(std::int64_t session, EntryKind kind,
                                std::span<const EntryPlace> places) {
  Statement& note = statements_->note_entry;
  for (const EntryPlace& place : places) {
    const std::string extents = packed({Extent{place.offset, place.size}});
    const ResetAtExit reset(note);
    const Step step = note.bind(1, session)
                          .bind(2, static_cast<std::int64_t>(kind))
                          .bind(3, std::int64_t{place.segment})
                          .bind_blob(4, extents)
                          .bind(5, std::int64_t{place.size})
                          .step();
    if (step == Step::kDone) continue;  // it is there already
    if (step == Step::kFailed || note.step() != Step::kDone) return false;
    journal_bytes_ += place.size;
  }
  return true;
}

bool MessageStore::outdate_entries(std::int64_t session, EntryKind first, EntryKind last) {
  return statements_->outdate_entries.bind(1, session)
             .bind(2, static_cast<std::int64_t>(first))
             .bind(3, static_cast<std::int64_t>(last))
             .run() == Step::kDone;
}

bool MessageStore::release_outdated() {
  return release(statements_->release_outdated.bind(1, std::int64_t{unread_segment_}));
}

bool MessageStore::release(Statement& deletion) {
  const ResetAtExit reset(deletion);
  std::int64_t bytes = 0;
  Step step = Step::kDone;
  while ((step = deletion.step()) == Step::kRow) bytes += deletion.column_number(0);
  if (step == Step::kFailed) return false;
  journal_bytes_ -= bytes;
  has_unused_ = has_unused_ || bytes > 0;
  return true;
}

bool MessageStore::note_unused(std::span<const EntryPlace> places) {
  has_unused_ = has_unused_ || !places.empty();
  return std::ranges::all_of(places, [this](const EntryPlace& place) {
    return statements_->note_unused.bind(1, std::int64_t{place.segment})
               .bind_blob(2, packed({Extent{place.offset, place.size}}))
               .run() == Step::kDone;
  });
}

bool MessageStore::apply(const SessionCreate& write) {
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
      .bind(15, record.agent_settings)
      .bind(16, record.image)
      .bind(17, record.image_id);
  if (record.closed_at) {
    statement.bind(9, milliseconds(*record.closed_at));
  } else {
    statement.bind_null(9);
  }
  if (statement.step() != Step::kRow) return false;
  const std::int64_t number = statement.column_number(0);
  if (statement.step() != Step::kDone) return false;
  // It has another agent from here on.
  for (auto entry = progress_.begin(); entry != progress_.end();) {
    const auto of_entry = number_of(entry->first);
    if (!of_entry) return false;
    entry = *of_entry == number ? progress_.erase(entry) : std::next(entry);
  }
  const bool is_new = number == write.number;
  if (!is_new && !outdate_entries(number, EntryKind::kLife, EntryKind::kState)) return false;
  const EntryKind kind = is_new ? EntryKind::kMade : EntryKind::kLife;
  if (!note_entries(number, kind, write.places)) return false;
  if (!is_new) {
    reopened_[write.number] = number;
    if (record.closed_at) closed_.push_back(write.number);
    return statements_->forget_calls.bind(1, number).run() == Step::kDone;
  }
  reopened_.erase(number);
  // A session that goes on but has no row was erased: what came before is not there.
  return record.last_sequence == 0 || insert_gap(number, {1, record.last_sequence});
}

bool MessageStore::insert_gap(std::int64_t session, Gap gap) {
  Statement& previous = statements_->previous_gap;
  std::optional<std::int64_t> extended;
  const Step found = previous.bind(1, session).bind(2, gap.from).step();
  if (found == Step::kRow) extended = previous.column_number(0);
  previous.reset();
  if (found == Step::kFailed) return false;
  Statement& statement = extended ? statements_->extend_gap : statements_->insert_gap;
  statement.bind(1, session).bind(2, extended.value_or(gap.from)).bind(3, gap.to);
  const bool kept = statement.run() == Step::kDone || database_.refuses_the_row();
  return kept &&
         statements_->reached.bind(1, session).bind(2, gap.to).bind(3, std::int64_t{0}).run() ==
             Step::kDone;
}

// Once a session and group: only the last word counts.
bool MessageStore::write_progress() {
  for (const auto& [session, progress] : progress_) {
    const auto number = number_of(session);
    if (!number) return false;
    if (!*number) continue;
    const OutputPosition& output = progress.output;
    const bool written = statements_->progress.bind(1, **number)
                             .bind(2, static_cast<std::int64_t>(output.bytes))
                             .bind(3, static_cast<std::int64_t>(output.first_line))
                             .bind(4, static_cast<std::int64_t>(output.last_line))
                             .bind(5, progress.input)
                             .bind(6, progress.prompt)
                             .run() == Step::kDone;
    if (!written || !forget_sent_answers(**number, progress.input)) return false;
  }
  return true;
}

Result<std::optional<std::int64_t>> MessageStore::number_of(const SessionKey& session) {
  if (session.number == 0) return number_of(session.id);
  if (reopened_.empty()) return session.number;
  const auto known = reopened_.find(session.number);
  return known == reopened_.end() ? session.number : known->second;
}

Result<std::optional<std::int64_t>> MessageStore::number_of(const std::string& id) {
  Statement& statement = statements_->session_number;
  const ResetAtExit reset(statement);
  const Step step = statement.bind(1, id).step();
  if (step == Step::kFailed) return failure("cannot find the session");
  if (step == Step::kDone) return std::nullopt;
  return statement.column_number(0);
}

}  // namespace relay::storage
