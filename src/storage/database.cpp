#include "storage/database.hpp"

#include "storage/statement.hpp"

#include <sqlite3.h>

namespace relay::storage {

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Result<Database> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return database.error("cannot open the database");
  sqlite3_busy_timeout(handle, 2000);
  return database;
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error("cannot run a statement");
  return {};
}

Result<std::int64_t> Database::number(const std::string& sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::move(statement.error());
  if (statement->step() != Step::kRow) return error("cannot read a number");
  return statement->column_number(0);
}

bool Database::refuses_the_row() const {
  switch (error_code() & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return true;
    default:
      return false;
  }
}

// A value that is too large for SQLite is bound as NULL, which no column of a row takes.
bool Database::is_too_big() const {
  const int code = error_code();
  return (code & 0xff) == SQLITE_TOOBIG || code == SQLITE_CONSTRAINT_NOTNULL;
}

bool Database::is_full() const { return (error_code() & 0xff) == SQLITE_FULL; }

int Database::error_code() const { return sqlite3_extended_errcode(handle_.get()); }

std::string Database::error_text() const {
  return handle_ ? sqlite3_errmsg(handle_.get()) : "out of memory";
}

Error Database::error(std::string what) const {
  const int code = handle_ ? error_code() : SQLITE_NOMEM;
  return make_error(ErrorType::kInternalError, std::move(what) + ": " + error_text())
      .with("sqlite_code", static_cast<std::int64_t>(code));
}

void Database::at_close(AtClose action) {
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                    action == AtClose::kLeave ? 1 : 0, nullptr);
}

}  // namespace relay::storage
