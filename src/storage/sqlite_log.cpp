#include "storage/sqlite_log.hpp"

#include "storage/answer.hpp"
#include "storage/database_file.hpp"
#include "storage/migrations.hpp"

#include <sys/stat.h>
#include <system_error>

namespace relay::storage {
namespace {

constexpr std::string_view kInMemory = ":memory:";

// A checkpoint every 16 MiB of pages; after it the file of the write-ahead log is cut to the limit.
Result<void> configure(Database& database, Durability durability) {
  return database.execute(std::string("PRAGMA journal_mode = WAL; PRAGMA synchronous = ") +
                          (durability == Durability::kStrict ? "FULL" : "NORMAL") +
                          "; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4096;"
                          "PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8192;"
                          "PRAGMA temp_store = MEMORY");
}

Error explained(Error error, const std::string& path) {
  error.explanation = "cannot use the database " + path + ": " + error.explanation;
  if (error.suggested_actions.empty()) {
    error.suggested_actions.push_back(
        "set database.path to another file, or move this one and its -wal and -shm files away");
  }
  return error;
}

Result<Database> open_database(const std::string& path, Durability durability) {
  auto database = Database::open(path);
  if (!database) return explained(std::move(database.error()), path);
  database->at_close(Database::AtClose::kLeave);
  auto migrated = migrate(*database, path);
  if (!migrated && migrated.error().suggested_actions.empty()) {
    return explained(std::move(migrated.error()), path);
  }
  if (!migrated) return std::move(migrated.error());
  database->at_close(Database::AtClose::kCheckpoint);
  auto configured = configure(*database, durability);
  if (!configured) return explained(std::move(configured.error()), path);
  return database;
}

}  // namespace

Result<std::unique_ptr<SqliteLog>> SqliteLog::open(asio::any_io_executor loop, LogOptions options,
                                                   Logger log) {
  if (options.path.empty()) {
    return make_error(ErrorType::kInternalError, "the database has no path")
        .suggest("set database.path to a file, or database.enabled to false");
  }
  UniqueFd lock;
  if (options.path != kInMemory) {
    auto usable = check_database_file(options.path);
    if (!usable) return std::move(usable.error());
    auto locked = lock_database(options.path);
    if (!locked) return std::move(locked.error());
    lock = std::move(*locked);
    auto writable = make_writable_file(options.path);
    if (!writable) return std::move(writable.error());
  }
  auto database = open_database(options.path, options.durability);
  if (!database) return std::move(database.error());
  auto store = MessageStore::make(std::move(*database));
  if (!store) return explained(std::move(store.error()), options.path);
  auto closed = (*store)->close_open_sessions("relay_restarted", wall_now());
  if (!closed) return explained(std::move(closed.error()), options.path);
  auto instance_id = (*store)->instance_id();
  if (!instance_id) return explained(std::move(instance_id.error()), options.path);
  auto highest = (*store)->highest_session_number();
  if (!highest) return explained(std::move(highest.error()), options.path);
  return std::unique_ptr<SqliteLog>(new SqliteLog(std::move(loop), std::move(options),
                                                  std::move(lock), std::move(*instance_id),
                                                  *highest, std::move(*store), std::move(log)));
}

SqliteLog::SqliteLog(asio::any_io_executor loop, LogOptions options, UniqueFd lock,
                     std::string instance_id, std::int64_t highest_number,
                     std::unique_ptr<MessageStore> store, Logger log)
    : loop_(std::move(loop)),
      path_(options.path),
      lock_(std::move(lock)),
      instance_id_(std::move(instance_id)),
      highest_number_(highest_number),
      writer_(std::move(store), options, std::move(log)) {}

SessionKey SqliteLog::key_of(const SessionId& session) const {
  const auto known = numbers_.find(session);
  if (known == numbers_.end()) return {0, session.value()};
  return {known->second, {}};
}

void SqliteLog::session_created(SessionRecord session) {
  const std::int64_t number = ++highest_number_;
  numbers_[session.id] = number;
  writer_.push(std::make_unique<SessionCreate>(SessionCreate{number, std::move(session)}));
}

void SqliteLog::session_changed(SessionRecord session) {
  writer_.push(std::make_unique<SessionChange>(SessionChange{std::move(session)}));
}

void SqliteLog::session_closed(SessionId id, std::string cause, WallTime at) {
  numbers_.erase(id);
  writer_.push(std::make_unique<SessionClose>(SessionClose{std::move(id), std::move(cause), at}));
}

void SqliteLog::record(const SessionId& session, MessageRecord message) {
  writer_.push(MessageWrite{key_of(session), std::move(message)});
}

template <class Answer, class Operation>
Task<Answer> SqliteLog::ask(Operation operation, bool wants_settled_writes) {
  const auto place = std::make_shared<std::optional<Answer>>();
  auto ticket = std::make_unique<Ticket<Answer>>(loop_);
  Wakeup& answered = ticket->answered;
  writer_.submit(std::make_unique<AskingJob<Answer, Operation>>(
      loop_, std::move(ticket), place, std::move(operation), wants_settled_writes));
  const bool notified = co_await answered.wait();
  if (!notified) throw boost::system::system_error(asio::error::operation_aborted);
  co_return std::move(**place);
}

Task<Result<HistoryPage>> SqliteLog::history(SessionId session, Sequence after, std::size_t limit,
                                             std::size_t max_bytes) {
  auto operation = [session = std::move(session), after, limit, max_bytes](MessageStore& store,
                                                                           HeldWrites held) {
    return store.history(session, after, limit, max_bytes, held);
  };
  co_return co_await ask<Result<HistoryPage>>(std::move(operation));
}

Task<Result<std::optional<SessionRecord>>> SqliteLog::find(SessionId session) {
  auto operation = [session = std::move(session)](MessageStore& store, HeldWrites held) {
    return store.find(session, held);
  };
  co_return co_await ask<Result<std::optional<SessionRecord>>>(std::move(operation));
}

Task<Result<SessionPage>> SqliteLog::list(SessionQuery query) {
  auto operation = [query = std::move(query)](MessageStore& store, HeldWrites held) {
    return store.list(query, held);
  };
  co_return co_await ask<Result<SessionPage>>(std::move(operation));
}

Task<Result<void>> SqliteLog::erase(SessionId session) {
  bool begun = false;
  while (true) {
    auto operation = [session](MessageStore& store, HeldWrites) { return store.erase(session); };
    // Between the steps the storage thread does what else there is.
    const auto step = co_await ask<Result<EraseStep>>(std::move(operation));
    if (!step && begun && step.error().type == ErrorType::kSessionNotFound) break;  // by another
    if (!step) co_return step.error();
    if (step->done) break;
    begun = true;
  }
  co_return Result<void>();
}

Task<void> SqliteLog::flush() {
  auto operation = [](MessageStore&, HeldWrites) { return true; };
  const bool settled = co_await ask<bool>(std::move(operation), true);
  static_cast<void>(settled);
}

Task<Result<void>> SqliteLog::set_page_limit(std::int64_t pages) {
  auto operation = [this, pages](MessageStore& store, HeldWrites) {
    writer_.retry_soon();
    return store.set_page_limit(pages);
  };
  co_return co_await ask<Result<void>>(std::move(operation));
}

LogStatus SqliteLog::status() const {
  LogStatus status = writer_.status();
  struct stat wal {};
  if (path_ != kInMemory && ::stat((path_ + "-wal").c_str(), &wal) == 0) {
    status.wal_bytes = static_cast<std::uint64_t>(wal.st_size);
  }
  return status;
}

}  // namespace relay::storage
