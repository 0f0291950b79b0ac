#include "storage/open_database.hpp"

#include "storage/migrations.hpp"

#include <utility>

namespace relay::storage {
namespace {

// A checkpoint every 16 MiB of pages; after it the file of the write-ahead log is cut to the limit.
Result<void> configure(Database& database, Durability durability) {
  return database.execute(std::string("PRAGMA journal_mode = WAL; PRAGMA synchronous = ") +
                          (durability == Durability::kStrict ? "FULL" : "NORMAL") +
                          "; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4096;"
                          "PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8192;"
                          "PRAGMA temp_store = MEMORY");
}

}  // namespace

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

}  // namespace relay::storage
