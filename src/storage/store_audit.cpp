// The audit trail: rows that name sessions and are no part of them.
#include "storage/store_statements.hpp"

#include <algorithm>

namespace relay::storage {
namespace {

constexpr std::size_t kMaxAuditRows = 1'000;
constexpr std::int64_t kForgottenAtOnce = 500;

AuditRecord audit_of(const Statement& row) {
  AuditRecord record;
  record.number = row.column_number(0);
  record.time = WallTime(std::chrono::milliseconds(row.column_number(1)));
  record.session = SessionId(row.column_text(2));
  record.action = row.column_text(3);
  record.detail = row.column_text(4);
  record.actor.principal = row.column_text(5);
  record.actor.transport = row.column_text(6);
  record.actor.peer = row.column_text(7);
  return record;
}

void bind_wanted(Statement& statement, int parameter, const std::optional<std::string>& value) {
  if (value) {
    statement.bind(parameter, *value);
  } else {
    statement.bind_null(parameter);
  }
}

const AuditWrite* audit_in(const PendingWrites::Entry& entry) {
  const auto* const write = std::get_if<std::unique_ptr<AuditWrite>>(&entry.write);
  return write != nullptr ? write->get() : nullptr;
}

bool is_wanted(const AuditQuery& query, const AuditRecord& record, std::int64_t number) {
  return number > query.after && (!query.session || *query.session == record.session.value()) &&
         (!query.principal || *query.principal == record.actor.principal);
}

}  // namespace

// The order of a write is its number: a row that the journal brings in again is there already.
bool MessageStore::insert_audit(HeldWrites writes) {
  for (const auto& entry : writes) {
    const AuditWrite* const write = audit_in(entry);
    if (write == nullptr) continue;
    const AuditRecord* const record = &write->record;
    const EntryPlace& place = write->place;
    Statement& statement = statements_->insert_audit;
    const ResetAtExit reset(statement);
    const Step step = statement.bind(1, static_cast<std::int64_t>(entry.order))
                          .bind(2, milliseconds(record->time))
                          .bind(3, record->session.value())
                          .bind(4, record->action)
                          .bind(5, record->detail)
                          .bind(6, record->actor.principal)
                          .bind(7, record->actor.transport)
                          .bind(8, record->actor.peer)
                          .bind(9, std::int64_t{place.segment})
                          .bind_blob(10, packed({Extent{place.offset, place.size}}))
                          .step();
    if (step == Step::kFailed) return false;
    if (step == Step::kDone) continue;
    if (statement.step() != Step::kDone) return false;
    ++audit_rows_;
  }
  return true;
}

Result<AuditPage> MessageStore::audit_trail(const AuditQuery& query, HeldWrites held) {
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kMaxAuditRows);
  AuditPage page;
  const auto add = [&](AuditRecord record) {
    page.complete = page.rows.size() < limit;
    if (page.complete) page.rows.push_back(std::move(record));
    return page.complete;
  };
  Statement& rows = statements_->audit_rows;
  const ResetAtExit reset(rows);
  rows.bind(1, query.after);
  bind_wanted(rows, 2, query.session);
  bind_wanted(rows, 3, query.principal);
  Step step = Step::kDone;
  while (page.complete && (step = rows.step()) == Step::kRow) add(audit_of(rows));
  if (step == Step::kFailed) return failure("cannot read the audit trail");
  for (const auto& entry : held) {
    const AuditWrite* const write = audit_in(entry);
    const auto number = static_cast<std::int64_t>(entry.order);
    if (write == nullptr || !is_wanted(query, write->record, number)) continue;
    AuditRecord shown = write->record;
    shown.number = number;
    if (!page.complete || !add(std::move(shown))) break;
  }
  return page;
}

Result<bool> MessageStore::forget_audit(const AuditLimits& limits, WallTime now) {
  const WallTime oldest = oldest_audit(limits, now);
  const std::int64_t too_many = limits.rows > 0 ? audit_rows_ - limits.rows : 0;
  std::int64_t last = 0;
  std::int64_t count = 0;
  {
    Statement& rows = statements_->oldest_audit;
    const ResetAtExit reset(rows);
    rows.bind(1, kForgottenAtOnce);
    Step step = Step::kDone;
    while ((step = rows.step()) == Step::kRow) {
      const WallTime at{std::chrono::milliseconds(rows.column_number(1))};
      if (at >= oldest && count >= too_many) break;
      last = rows.column_number(0);
      ++count;
    }
    if (step == Step::kFailed) return failure("cannot read what the audit trail begins with");
  }
  if (count == 0) return true;
  if (statements_->forget_audit.bind(1, last).run() != Step::kDone) {
    return failure("cannot delete old rows of the audit trail");
  }
  audit_rows_ -= count;
  has_unused_ = true;
  return count < kForgottenAtOnce;
}

}  // namespace relay::storage
