#include "storage/message_store.hpp"

#include "storage/identity.hpp"
#include "storage/store_statements.hpp"

namespace relay::storage {

MessageStore::MessageStore(Database database, std::unique_ptr<Statements> statements,
                           const std::string& path, std::string instance_id)
    : database_(std::move(database)),
      statements_(std::move(statements)),
      instance_id_(std::move(instance_id)),
      files_(path, instance_id_) {}

MessageStore::~MessageStore() = default;

Result<std::unique_ptr<MessageStore>> MessageStore::make(Database database, const std::string& path,
                                                         Durability durability) {
  auto statements = Statements::prepare(database);
  if (!statements) return std::move(statements.error());
  auto instance = instance_of(database);
  if (!instance) return std::move(instance.error());
  auto store = std::unique_ptr<MessageStore>(
      new MessageStore(std::move(database), std::move(*statements), path, std::move(*instance)));
  store->sync_ = durability == Durability::kStrict;
  auto loaded = store->load();
  if (!loaded) return std::move(loaded.error());
  return store;
}

Result<void> MessageStore::load() {
  const auto property = [](const char* name) {
    return std::string("SELECT max(CAST(value AS INTEGER)) FROM properties WHERE name = '") + name +
           "'";
  };
  const auto rows = database_.number("SELECT coalesce(sum(last - first + 1), 0) FROM runs");
  if (!rows) return rows.error();
  const auto bytes = database_.number(
      "SELECT (SELECT coalesce(sum(bytes), 0) FROM runs WHERE segment > 0) + "
      "(SELECT coalesce(sum(bytes), 0) FROM session_entries)");
  if (!bytes) return bytes.error();
  const auto order = database_.number(property("written_order"));
  if (!order) return order.error();
  const auto unread = database_.number(property("unread_segment"));
  if (!unread) return unread.error();
  const auto unused = database_.number("SELECT EXISTS (SELECT 1 FROM unused)");
  if (!unused) return unused.error();
  const auto audit_rows = database_.number("SELECT count(*) FROM audit");
  if (!audit_rows) return audit_rows.error();
  rows_ = *rows;
  audit_rows_ = *audit_rows;
  has_unused_ = *unused != 0;
  journal_bytes_ = *bytes;
  written_order_ = static_cast<std::uint64_t>(*order);
  unread_segment_ = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(*unread));

  auto unsent =
      Statement::prepare(database_, "SELECT DISTINCT session FROM calls WHERE answer > 0");
  if (!unsent) return std::move(unsent.error());
  Step step = Step::kDone;
  while ((step = unsent->step()) == Step::kRow) unsent_.insert(unsent->column_number(0));
  if (step == Step::kFailed) return failure("cannot read what waits for an answer");
  return {};
}

Result<void> MessageStore::read_up_to(std::uint32_t segment) {
  if (segment == unread_segment_) return {};
  if (!set_property("unread_segment", segment)) return failure("cannot write");
  unread_segment_ = segment;
  files_.written_from(segment);
  if (!release_outdated()) return failure("cannot write");
  return {};
}

Result<std::uint32_t> MessageStore::next_segment() {
  const auto used = database_.number(
      "SELECT max(coalesce((SELECT max(segment) FROM runs WHERE segment > 0), 0), "
      "coalesce((SELECT max(segment) FROM session_entries), 0), "
      "coalesce((SELECT max(segment) FROM audit), 0), "
      "coalesce((SELECT max(segment) FROM unused), 0))");
  if (!used) return used.error();
  return std::max(unread_segment_, static_cast<std::uint32_t>(*used) + 1);
}

Result<std::size_t> MessageStore::known_end(std::uint32_t segment) {
  auto statement =
      Statement::prepare(database_,
                         "SELECT entries FROM runs WHERE segment = ?1 AND segment > 0 "
                         "UNION ALL SELECT extents FROM session_entries WHERE segment = ?1 "
                         "UNION ALL SELECT extents FROM audit WHERE segment = ?1 "
                         "UNION ALL SELECT extents FROM unused WHERE segment = ?1");
  if (!statement) return std::move(statement.error());
  statement->bind(1, std::int64_t{segment});
  std::size_t end = 0;
  Step step = Step::kDone;
  while ((step = statement->step()) == Step::kRow) {
    for (const Extent extent : unpacked(statement->column_view(0))) {
      end = std::max(end, std::size_t{extent.offset} + extent.size);
    }
  }
  if (step == Step::kFailed) return failure("cannot read what is in the journal");
  return end;
}

Result<RetentionStep> MessageStore::retain(const RetentionLimits& limits, WallTime now,
                                           std::int64_t after_number) {
  constexpr std::int64_t kMaxRowsOfStep = 2000;

  struct Candidate {
    std::int64_t number, session, first, rows;
    bool closed;
    WallTime newest;
  };
  std::vector<Candidate> runs;
  {
    Statement& rows = statements_->runs_by_age;
    const ResetAtExit reset(rows);
    rows.bind(1, after_number);
    Step step = Step::kDone;
    while ((step = rows.step()) == Step::kRow) {
      runs.push_back({rows.column_number(0), rows.column_number(1), rows.column_number(2),
                      rows.column_number(3), rows.column_number(4) != 0,
                      WallTime(std::chrono::milliseconds(rows.column_number(5)))});
    }
    if (step == Step::kFailed) return failure("cannot read what may be deleted");
  }

  RetentionStep result{runs.empty(), after_number, 0};
  const std::int64_t rows_before = rows_;
  const std::int64_t bytes_before = journal_bytes_;
  if (runs.empty()) return result;
  if (statements_->begin.run() != Step::kDone) return failure("cannot begin to delete");
  bool intact = true;
  for (const Candidate& run : runs) {
    const std::int64_t rows = rows_to_delete(limits, size(), {run.rows, run.newest}, now);
    if (rows == 0) {
      // Runs are looked at from the oldest on: none of the later ones has to go either.
      result.done = true;
      break;
    }
    result.place = run.number;
    if (!run.closed) continue;
    intact = (rows == run.rows ? delete_run(run.number) : shorten_run(run.number, rows)) &&
             insert_gap(run.session, {run.first, run.first + rows - 1});
    if (!intact) break;
    rows_ -= rows;
    result.deleted += rows;
    if (result.deleted >= kMaxRowsOfStep) break;
  }
  if (intact && statements_->commit.run() == Step::kDone) {
    has_unused_ = true;
    return result;
  }
  rows_ = rows_before;
  journal_bytes_ = bytes_before;
  auto problem = undone("cannot delete old messages");
  return std::move(problem.error());
}

LogSize MessageStore::size() {
  constexpr std::int64_t kPageSize = 4096;
  Statement& all = statements_->page_count;
  Statement& free = statements_->free_pages;
  const ResetAtExit reset_all(all);
  const ResetAtExit reset_free(free);
  if (all.step() != Step::kRow || free.step() != Step::kRow) return {rows_, journal_bytes_};
  const std::int64_t pages = all.column_number(0) - free.column_number(0);
  return {rows_, pages * kPageSize + journal_bytes_};
}

// The bytes of what is cut off stay until the run goes.
bool MessageStore::shorten_run(std::int64_t run, std::int64_t rows) {
  return statements_->shorten_run.bind(1, run).bind(2, rows).run() == Step::kDone;
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

Result<Sequence> MessageStore::known_up_to(const std::string& session) {
  const auto number = number_of(session);
  if (!number) return number.error();
  if (!*number) return 0;
  Statement& statement = statements_->known_up_to;
  const ResetAtExit reset(statement);
  if (statement.bind(1, **number).step() != Step::kRow) return failure("cannot read the session");
  return statement.column_number(0);
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
  std::swap(files_, before.files_);
}

Result<void> MessageStore::take_over() { return storage::take_over(database_); }

Result<void> MessageStore::set_page_limit(std::int64_t pages) {
  return database_.execute("PRAGMA max_page_count = " + std::to_string(pages));
}

}  // namespace relay::storage
