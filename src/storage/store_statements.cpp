#include "storage/store_statements.hpp"

#include <utility>

namespace relay::storage {
namespace {

constexpr std::string_view kColumns =
    "number, id, agent_session_id, owner, working_directory, isolation, title, created_at, "
    "closed_at, "
    "cause, last_sequence";

WallTime wall_time(std::int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

}  // namespace

Result<std::unique_ptr<MessageStore::Statements>> MessageStore::Statements::prepare(
    Database& database) {
  const std::string columns(kColumns);
  std::optional<Error> failure;
  const auto make = [&](std::string_view sql) -> Statement {
    auto statement = Statement::prepare(database, sql);
    if (statement) return std::move(*statement);
    if (!failure) failure = std::move(statement.error());
    return Statement::none();
  };
  // Braces: members are made in the order of their declaration.
  auto statements = std::unique_ptr<Statements>(new Statements{
      make("BEGIN IMMEDIATE"),
      make("COMMIT"),
      make(
          "INSERT INTO messages (session, sequence, origin, kind, to_client, method, rpc_id, time, "
          "body, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
      make("INSERT INTO runs (session, first, last, place) VALUES (?1, ?2, ?3, ?4)"),
      make("UPDATE sessions SET last_sequence = ?2 WHERE number = ?1 AND last_sequence < ?2"),
      make("INSERT INTO sessions (" + columns +
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO UPDATE SET "
           "agent_session_id = ?3, owner = ?4, working_directory = ?5, isolation = ?6, title = ?7, "
           "closed_at = ?9, cause = ?10, last_sequence = max(last_sequence, ?11) RETURNING number"),
      make("UPDATE sessions SET agent_session_id = ?2, working_directory = ?3, title = ?4, "
           "last_sequence = max(last_sequence, ?5) WHERE id = ?1"),
      make("UPDATE sessions SET closed_at = ?2, cause = ?3 WHERE id = ?1 AND closed_at IS NULL"),
      make("SELECT number FROM sessions WHERE id = ?1"),
      make("SELECT from_sequence FROM gaps WHERE session = ?1 AND from_sequence < ?2 "
           "AND to_sequence >= ?2 - 1 ORDER BY from_sequence DESC LIMIT 1"),
      make("UPDATE gaps SET to_sequence = max(to_sequence, ?3) "
           "WHERE session = ?1 AND from_sequence = ?2"),
      make("INSERT INTO gaps (session, from_sequence, to_sequence) VALUES (?1, ?2, ?3) "
           "ON CONFLICT (session, from_sequence) DO UPDATE SET to_sequence = max(to_sequence, ?3)"),
      make("SELECT " + columns + " FROM sessions WHERE id = ?1"),
      make("SELECT " + columns +
           " FROM sessions WHERE number < ?1 AND (?2 IS NULL OR owner = ?2) "
           "AND (?3 = 0 OR closed_at IS NULL) ORDER BY number DESC"),
      make("SELECT place, last - first FROM runs WHERE session = ?1 AND first >= coalesce("
           "(SELECT max(first) FROM runs WHERE session = ?1 AND first <= ?2), 0) ORDER BY first"),
      make("SELECT sequence, origin, kind, to_client, method, rpc_id, time, body FROM messages "
           "WHERE place BETWEEN ?1 AND ?2 AND sequence > ?3 ORDER BY place"),
      make("SELECT from_sequence, to_sequence FROM gaps WHERE session = ?1 ORDER BY from_sequence"),
      make("SELECT r.place, r.session, r.first, r.last - r.first + 1, s.closed_at IS NOT NULL, "
           "(SELECT time FROM messages WHERE messages.place = r.place + r.last - r.first) "
           "FROM runs r JOIN sessions s ON s.number = r.session "
           "WHERE r.place > ?1 ORDER BY r.place LIMIT 256"),
      make("DELETE FROM runs WHERE session = ?1 AND first = ?2"),
      make("UPDATE runs SET first = first + ?3, place = place + ?3 "
           "WHERE session = ?1 AND first = ?2"),
      make("DELETE FROM messages WHERE place BETWEEN ?1 AND ?2"),
      make("SELECT place, first, last - first + 1 FROM runs WHERE session = ?1 ORDER BY first "
           "LIMIT ?2"),
      make("DELETE FROM sessions WHERE number = ?1"),
      make("PRAGMA page_count"),
      make("PRAGMA freelist_count"),
  });
  if (failure) return std::move(*failure);
  return statements;
}

SessionRecord session_of(const Statement& row) {
  SessionRecord record;
  record.id = SessionId(row.column_text(1));
  record.agent_session_id = row.column_text(2);
  record.owner = row.column_text(3);
  record.working_directory = row.column_text(4);
  record.isolation = row.column_text(5);
  record.title = row.column_text(6);
  record.created_at = wall_time(row.column_number(7));
  if (const auto closed_at = row.column_optional(8)) record.closed_at = wall_time(*closed_at);
  record.cause = row.column_text(9);
  record.last_sequence = row.column_number(10);
  return record;
}

}  // namespace relay::storage
