#include "storage/message_store.hpp"

#include "base/random_id.hpp"
#include "storage/store_statements.hpp"

#include <limits>

namespace relay::storage {

MessageStore::MessageStore(Database database, std::unique_ptr<Statements> statements)
    : database_(std::move(database)), statements_(std::move(statements)) {}

MessageStore::~MessageStore() = default;

Result<std::unique_ptr<MessageStore>> MessageStore::make(Database database) {
  auto statements = Statements::prepare(database);
  if (!statements) return std::move(statements.error());
  auto place = database.number("SELECT coalesce(max(place), 0) FROM messages");
  if (!place) return std::move(place.error());
  auto rows = database.number("SELECT coalesce(sum(last - first + 1), 0) FROM runs");
  if (!rows) return std::move(rows.error());
  auto order = database.number(
      "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM properties WHERE name = "
      "'written_order'");
  if (!order) return std::move(order.error());
  auto store =
      std::unique_ptr<MessageStore>(new MessageStore(std::move(database), std::move(*statements)));
  store->next_place_ = *place + 1;
  store->rows_ = *rows;
  store->written_order_ = static_cast<std::uint64_t>(*order);
  return store;
}

Result<RetentionStep> MessageStore::retain(const RetentionLimits& limits, WallTime now,
                                           std::int64_t after_place) {
  constexpr std::int64_t kMaxRowsOfStep = 2000;

  struct Run {
    std::int64_t place, session, first, rows;
    bool closed;
    WallTime newest;
  };
  std::vector<Run> runs;
  {
    Statement& rows = statements_->runs_by_age;
    const ResetAtExit reset(rows);
    rows.bind(1, after_place);
    Step step = Step::kDone;
    while ((step = rows.step()) == Step::kRow) {
      runs.push_back({rows.column_number(0), rows.column_number(1), rows.column_number(2),
                      rows.column_number(3), rows.column_number(4) != 0,
                      WallTime(std::chrono::milliseconds(rows.column_number(5)))});
    }
    if (step == Step::kFailed) return failure("cannot read what may be deleted");
  }

  RetentionStep result{runs.empty(), after_place, 0};
  const std::int64_t rows_before = rows_;
  if (runs.empty()) return result;
  if (statements_->begin.run() != Step::kDone) return failure("cannot begin to delete");
  bool intact = true;
  for (const Run& run : runs) {
    const std::int64_t rows = rows_to_delete(limits, size(), {run.rows, run.newest}, now);
    if (rows == 0) {
      // Runs are looked at from the oldest on: none of the later ones has to go either.
      result.done = true;
      break;
    }
    result.place = run.place;
    if (!run.closed) continue;
    intact = delete_rows(run.session, run.first, run.place, rows, rows == run.rows) &&
             insert_gap(run.session, {run.first, run.first + rows - 1});
    if (!intact) break;
    rows_ -= rows;
    result.deleted += rows;
    if (result.deleted >= kMaxRowsOfStep) break;
  }
  if (intact && statements_->commit.run() == Step::kDone) return result;
  rows_ = rows_before;
  auto problem = undone("cannot delete old messages");
  return std::move(problem.error());
}

LogSize MessageStore::size() {
  constexpr std::int64_t kPageSize = 4096;
  Statement& all = statements_->page_count;
  Statement& free = statements_->free_pages;
  const ResetAtExit reset_all(all);
  const ResetAtExit reset_free(free);
  if (all.step() != Step::kRow || free.step() != Step::kRow) return {rows_, 0};
  return {rows_, (all.column_number(0) - free.column_number(0)) * kPageSize};
}

bool MessageStore::delete_rows(std::int64_t session, Sequence first, std::int64_t place,
                               std::int64_t rows, bool whole_run) {
  if (whole_run) {
    return statements_->delete_run.bind(1, session).bind(2, first).run() == Step::kDone;
  }
  return statements_->delete_places.bind(1, place).bind(2, place + rows - 1).run() == Step::kDone &&
         statements_->shorten_run.bind(1, session).bind(2, first).bind(3, rows).run() ==
             Step::kDone;
}

Result<std::string> MessageStore::instance_id() {
  auto insert =
      Statement::prepare(database_,
                         "INSERT INTO properties (name, value) VALUES ('instance_id', ?1) "
                         "ON CONFLICT (name) DO NOTHING");
  if (!insert) return std::move(insert.error());
  const std::string fresh = random_hex(16);
  if (insert->bind(1, fresh).run() != Step::kDone) return failure("cannot keep the instance id");
  auto select =
      Statement::prepare(database_, "SELECT value FROM properties WHERE name = 'instance_id'");
  if (!select) return std::move(select.error());
  if (select->step() != Step::kRow) return failure("cannot read the instance id");
  return select->column_text(0);
}

Result<std::int64_t> MessageStore::begin_run() {
  auto statement = Statement::prepare(
      database_,
      "INSERT INTO properties (name, value) VALUES ('runs', '1') ON CONFLICT (name) DO UPDATE SET "
      "value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING CAST(value AS INTEGER)");
  if (!statement) return std::move(statement.error());
  if (statement->step() != Step::kRow) return failure("cannot count the run");
  const std::int64_t run = statement->column_number(0);
  if (statement->step() != Step::kDone) return failure("cannot count the run");
  return run;
}

Result<std::int64_t> MessageStore::highest_session_number() {
  return database_.number("SELECT coalesce(max(number), 0) FROM sessions");
}

Sequence MessageStore::known_up_to(const std::string& session) {
  const auto number = number_of(session);
  if (!number) return 0;
  Statement& statement = statements_->known_up_to;
  const ResetAtExit reset(statement);
  return statement.bind(1, *number).step() == Step::kRow ? statement.column_number(0) : 0;
}

Result<void> MessageStore::copy_to(const std::string& path) {
  // What is only in the write-ahead log goes where it belongs, should that be all that is missing.
  const auto checkpoint = database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  static_cast<void>(checkpoint);
  auto statement = Statement::prepare(database_, "VACUUM INTO ?1");
  if (!statement) return std::move(statement.error());
  if (statement->bind(1, path).run() != Step::kDone) return failure("cannot copy the database");
  return {};
}

void MessageStore::go_on_from(MessageStore& before) {
  reopened_ = before.reopened_;
  closed_ = before.closed_;
}

Result<void> MessageStore::set_page_limit(std::int64_t pages) {
  return database_.execute("PRAGMA max_page_count = " + std::to_string(pages));
}

}  // namespace relay::storage
