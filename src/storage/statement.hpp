// Owner of one prepared statement; must not outlive its Database.
//
// Texts are bound without copying: they must live until the statement is reset.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3_stmt;

namespace relay::storage {

class Database;

enum class Step { kRow, kDone, kFailed };

class Statement {
 public:
  static Result<Statement> prepare(Database& database, std::string_view sql);

  // Stands where preparing failed; must not be used.
  static Statement none() { return Statement(nullptr); }

  // Parameters and columns count from 1 and 0, as SQLite's do.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);

  Step step();
  // Ready for other values; parameters keep theirs until they are bound again.
  void reset();
  // step() and reset() of a statement that gives no rows.
  Step run();

  std::int64_t column_number(int column) const;
  std::string column_text(int column) const;
  // Text or blob, until the next step.
  std::string_view column_view(int column) const;
  std::optional<std::int64_t> column_optional(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Resets a statement that gives rows, however the reading of them ends.
class ResetAtExit {
 public:
  explicit ResetAtExit(Statement& statement) : statement_(statement) {}
  ResetAtExit(const ResetAtExit&) = delete;
  ResetAtExit& operator=(const ResetAtExit&) = delete;
  ~ResetAtExit() { statement_.reset(); }

 private:
  Statement& statement_;
};

}  // namespace relay::storage
