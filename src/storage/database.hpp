// Owner of one SQLite connection. Used by one thread at a time; never copied.
//
// Calls answer with a Result whose explanation is SQLite's text; what to do about it is added by
// the caller that knows which file and which configuration key are meant.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>

struct sqlite3;

namespace relay::storage {

class Database {
 public:
  // Opens an existing file for reading and writing, or ":memory:".
  static Result<Database> open(const std::string& path);

  // Runs statements that give no rows that matter.
  Result<void> execute(const std::string& sql);

  // The first column of the first row as a number.
  Result<std::int64_t> number(const std::string& sql);

  // The extended result code and the text of the latest failure.
  int error_code() const;
  std::string error_text() const;
  Error error(std::string what) const;
  // The latest failure belongs to one row and would come back with every attempt.
  bool refuses_the_row() const;
  // It is because of the size of a value, 1 GB.
  bool is_too_big() const;
  // It is for want of room.
  bool is_full() const;

  // Whether closing moves the write-ahead log into the file, or leaves a database that must not be
  // touched as it is.
  enum class AtClose { kCheckpoint, kLeave };
  void at_close(AtClose action);

  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace relay::storage
