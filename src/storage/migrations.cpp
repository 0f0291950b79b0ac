#include "storage/migrations.hpp"

#include "storage/database.hpp"
#include "storage/migrate_messages.hpp"

#include <array>

namespace relay::storage {
namespace {

// Messages lie in the order of their arrival, so that writing appends whatever the number of
// sessions. A run names a stretch of one session's messages that lie side by side (`place` of the
// first, then one by one): it is the index, with one entry a group and session instead of one a
// message, and carries the foreign key. Deleting a run deletes its messages.
constexpr const char* kFirstSchema = R"sql(
CREATE TABLE sessions (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_session_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  working_directory TEXT NOT NULL,
  isolation TEXT NOT NULL,
  title TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  closed_at INTEGER,
  cause TEXT NOT NULL,
  last_sequence INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_owner ON sessions (owner, number);
CREATE INDEX sessions_open ON sessions (number) WHERE closed_at IS NULL;

CREATE TABLE messages (
  place INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  to_client INTEGER NOT NULL,
  method TEXT NOT NULL,
  rpc_id TEXT NOT NULL,
  time INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (session, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_age ON runs (place);
CREATE TRIGGER run_deleted AFTER DELETE ON runs BEGIN
  DELETE FROM messages WHERE place BETWEEN old.place AND old.place + old.last - old.first;
END;

CREATE TABLE gaps (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  from_sequence INTEGER NOT NULL,
  to_sequence INTEGER NOT NULL,
  PRIMARY KEY (session, from_sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE properties (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kAgentsAndUpdates = R"sql(
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET updated_at = created_at;
)sql";

// What a relay has to know that goes on with an agent: how far each side has come, which calls are
// open and how the agent spells their ids, and where the session was opened for the last time (no
// call from before is open).
constexpr const char* kRecovery = R"sql(
ALTER TABLE sessions ADD COLUMN agent_profile TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent_settings TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN output_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN output_first_line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN output_last_line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN input_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN input_prompt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN opened_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN call INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN peer_id TEXT NOT NULL DEFAULT '';
CREATE INDEX messages_of_calls ON messages (session, call) WHERE call > 0;
)sql";

// A run has its messages: the entries themselves, or where they are in the file of the journal with
// the number `segment`. Calls that are open, or whose answer the agent may not have, have a row.
constexpr const char* kEntries = R"sql(
DROP TRIGGER run_deleted;
DROP INDEX runs_by_age;
ALTER TABLE runs RENAME TO old_runs;
CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  time INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  requests TEXT NOT NULL,
  entries BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX runs_of_session ON runs (session, first);
CREATE INDEX runs_of_segment ON runs (segment) WHERE segment > 0;
CREATE TABLE calls (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  call INTEGER NOT NULL,
  request INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  PRIMARY KEY (session, call)
) STRICT, WITHOUT ROWID;
)sql";
constexpr const char* kOldMessages = R"sql(
INSERT OR IGNORE INTO calls SELECT q.session, q.call, q.sequence, coalesce(
  (SELECT max(a.sequence) FROM messages a
   WHERE a.session = q.session AND a.call = q.call AND a.call > 0 AND a.kind = 1), 0)
FROM messages q JOIN sessions s ON s.number = q.session
WHERE q.call > 0 AND q.kind = 0 AND NOT EXISTS (
  SELECT 1 FROM messages a
  WHERE a.session = q.session AND a.call = q.call AND a.call > 0 AND a.kind = 1
    AND (a.to_client = 1 OR a.sequence <= s.input_sequence));
DROP TABLE messages;
DROP TABLE old_runs;
)sql";

// Entries of the journal that are not a session's messages but tell of it, and what is deleted from
// the index while its bytes are still on the disk.
constexpr const char* kErasure = R"sql(
CREATE TABLE session_entries (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  segment INTEGER NOT NULL,
  extents BLOB NOT NULL,
  PRIMARY KEY (session, segment, extents)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_entries_of_segment ON session_entries (segment);
CREATE TABLE unused (
  number INTEGER PRIMARY KEY,
  segment INTEGER NOT NULL,
  extents BLOB NOT NULL
) STRICT;
CREATE TRIGGER run_deleted AFTER DELETE ON runs WHEN old.segment > 0 BEGIN
  INSERT INTO unused (segment, extents) VALUES (old.segment, old.entries);
END;
CREATE TRIGGER session_entry_deleted AFTER DELETE ON session_entries BEGIN
  INSERT INTO unused (segment, extents) VALUES (old.segment, old.extents);
END;
)sql";

// Rows of the audit trail name sessions that may be gone: no foreign key.
constexpr const char* kAudit = R"sql(
CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  session TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL,
  principal TEXT NOT NULL,
  transport TEXT NOT NULL,
  peer TEXT NOT NULL,
  segment INTEGER NOT NULL,
  extents BLOB NOT NULL
) STRICT;
CREATE INDEX audit_of_session ON audit (session, number);
CREATE TRIGGER audit_deleted AFTER DELETE ON audit WHEN old.segment > 0 BEGIN
  INSERT INTO unused (segment, extents) VALUES (old.segment, old.extents);
END;
ALTER TABLE sessions ADD COLUMN image TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN image_id TEXT NOT NULL DEFAULT '';
)sql";

constexpr const char* kUpstreamUse = R"sql(
ALTER TABLE sessions ADD COLUMN upstream_use TEXT NOT NULL DEFAULT '';
)sql";

// A session's entries by what they say (MessageStore::EntryKind): a later one outdates those of its
// kind. Which of those that are there are outdated is not known: they stay until their session
// goes, as they did.
constexpr const char* kOutdatedEntries = R"sql(
DROP INDEX session_entries_of_segment;
DROP TRIGGER session_entry_deleted;
ALTER TABLE session_entries RENAME TO old_entries;
CREATE TABLE session_entries (
  session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  extents BLOB NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (session, kind, segment, extents)
) STRICT, WITHOUT ROWID;
INSERT INTO session_entries SELECT session, 1, segment, extents, 0 FROM old_entries;
DROP TABLE old_entries;
CREATE INDEX session_entries_of_segment ON session_entries (segment);
CREATE INDEX outdated_entries ON session_entries (segment) WHERE kind = 4;
CREATE TRIGGER session_entry_deleted AFTER DELETE ON session_entries BEGIN
  INSERT INTO unused (segment, extents) VALUES (old.segment, old.extents);
END;
)sql";

struct MigrationStep {
  const char* schema;
  Result<void> (*convert)(Database&) = nullptr;
  const char* after = "";
};

constexpr std::array kSteps = {
    MigrationStep{kFirstSchema}, MigrationStep{kAgentsAndUpdates},
    MigrationStep{kRecovery},    MigrationStep{kEntries, migrate_messages, kOldMessages},
    MigrationStep{kErasure},     MigrationStep{kAudit},
    MigrationStep{kUpstreamUse}, MigrationStep{kOutdatedEntries}};

Result<void> take(Database& database, std::size_t step) {
  const MigrationStep& taken = kSteps[step];
  auto begun = database.execute("BEGIN EXCLUSIVE; PRAGMA application_id = " +
                                std::to_string(kApplicationId) + ";" + taken.schema);
  if (!begun) return begun;
  if (taken.convert != nullptr) {
    auto converted = taken.convert(database);
    if (!converted) return converted;
  }
  return database.execute(std::string(taken.after) +
                          "PRAGMA user_version = " + std::to_string(step + 1) + "; COMMIT;");
}

}  // namespace

std::int64_t schema_version() { return static_cast<std::int64_t>(kSteps.size()); }

Result<void> check_marks(std::int64_t application_id, std::int64_t version,
                         const std::string& path) {
  if (application_id != kApplicationId) {
    return make_error(ErrorType::kInternalError,
                      "the file " + path + " is a database of another application")
        .suggest(
            "set database.path to a file of the relay's own, or to one that does not exist yet")
        .with("path", path)
        .with("application_id", application_id);
  }
  if (version < 1 || version > schema_version()) {
    return make_error(ErrorType::kInternalError,
                      "the database " + path + " has schema version " + std::to_string(version) +
                          ", this program knows versions up to " + std::to_string(schema_version()))
        .because("it was written by a later version of acp-relay")
        .suggest("run that later version, or set database.path to another file")
        .with("path", path)
        .with("version", version);
  }
  return {};
}

Result<void> migrate(Database& database, const std::string& path) {
  auto version = database.number("PRAGMA user_version");
  if (!version) return std::move(version.error());
  auto objects = database.number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return std::move(objects.error());
  auto application_id = database.number("PRAGMA application_id");
  if (!application_id) return std::move(application_id.error());
  const bool empty = *objects == 0 && *version == 0 && *application_id == 0;
  if (!empty) {
    auto usable = check_marks(*application_id, *version, path);
    if (!usable) return usable;
  }
  for (auto step = static_cast<std::size_t>(*version); step < kSteps.size(); ++step) {
    auto taken = take(database, step);
    if (!taken) {
      if (database.is_full()) {
        taken.error().suggested_actions.push_back(
            "make room on the disk of database.path: a database of an earlier version is copied, "
            "which takes up to four times its size for a while. Nothing was changed.");
      }
      const auto undone = database.execute("ROLLBACK");
      static_cast<void>(undone);
      return taken;
    }
  }
  return {};
}

}  // namespace relay::storage
