#include "storage/store_statements.hpp"

#include <utility>

namespace relay::storage {
namespace {

constexpr std::string_view kColumns =
    "number, id, agent_session_id, owner, working_directory, isolation, title, created_at, "
    "closed_at, "
    "cause, last_sequence, agent, updated_at";
// As large as the agent likes.
constexpr std::string_view kAgentColumns = ", agent_profile, agent_settings";
constexpr std::string_view kImageColumns = ", image, image_id";
constexpr std::string_view kKeptUpColumns =
    "output_bytes, output_first_line, output_last_line, input_sequence, input_prompt, upstream_use";

WallTime wall_time(std::int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

}  // namespace

Result<std::unique_ptr<MessageStore::Statements>> MessageStore::Statements::prepare(
    Database& database) {
  const auto columns_with = [](std::string_view of_agent) {
    return std::string(kColumns).append(of_agent).append(kImageColumns);
  };
  const std::string columns = columns_with(kAgentColumns);
  const std::string kept_up = ", " + std::string(kKeptUpColumns);
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
      make("INSERT INTO runs (session, first, last, time, segment, bytes, requests, entries) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"),
      make("UPDATE sessions SET last_sequence = ?2, updated_at = max(updated_at, ?3) "
           "WHERE number = ?1 AND last_sequence < ?2"),
      make("INSERT INTO calls (session, call, request, answer) VALUES (?1, ?2, ?3, 0) "
           "ON CONFLICT DO NOTHING"),
      make("UPDATE calls SET answer = ?3 WHERE session = ?1 AND call = ?2"),
      make("DELETE FROM calls WHERE session = ?1 AND call = ?2"),
      make("DELETE FROM calls WHERE session = ?1 AND answer BETWEEN 1 AND ?2"),
      make("DELETE FROM calls WHERE session = ?1"),
      make("INSERT INTO sessions (" + columns +
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) "
           "ON CONFLICT (id) DO UPDATE SET "
           "agent_session_id = ?3, owner = ?4, working_directory = ?5, isolation = ?6, title = ?7, "
           "closed_at = ?9, cause = ?10, last_sequence = max(last_sequence, ?11), agent = ?12, "
           "updated_at = max(updated_at, ?13), agent_profile = ?14, agent_settings = ?15, "
           "image = ?16, image_id = ?17, "
           "output_bytes = 0, output_first_line = 0, output_last_line = 0, "
           "input_sequence = max(last_sequence, ?11), input_prompt = 0, "
           "opened_sequence = max(last_sequence, ?11) RETURNING number"),
      make("UPDATE sessions SET agent_session_id = ?2, working_directory = ?3, title = ?4, "
           "last_sequence = max(last_sequence, ?5), updated_at = max(updated_at, ?6), "
           "agent_profile = ?7, agent_settings = ?8, image = ?9, image_id = ?10 WHERE id = ?1"),
      make("UPDATE sessions SET closed_at = ?2, cause = ?3 WHERE id = ?1 AND closed_at IS NULL"),
      make("SELECT number FROM sessions WHERE id = ?1"),
      make("SELECT from_sequence FROM gaps WHERE session = ?1 AND from_sequence < ?2 "
           "AND to_sequence >= ?2 - 1 ORDER BY from_sequence DESC LIMIT 1"),
      make("UPDATE gaps SET to_sequence = max(to_sequence, ?3) "
           "WHERE session = ?1 AND from_sequence = ?2"),
      make("INSERT INTO gaps (session, from_sequence, to_sequence) VALUES (?1, ?2, ?3) "
           "ON CONFLICT (session, from_sequence) DO UPDATE SET to_sequence = max(to_sequence, ?3)"),
      make("SELECT " + columns + kept_up + " FROM sessions WHERE id = ?1"),
      make("SELECT " + columns_with(", '', ''") + kept_up +
           " FROM sessions WHERE number < ?1 AND (?2 IS NULL OR owner = ?2) "
           "AND (?3 = 0 OR closed_at IS NULL) AND (?4 IS NULL OR agent = ?4) "
           "AND (?5 IS NULL OR working_directory = ?5) ORDER BY number DESC"),
      make("SELECT first, last, segment, entries FROM runs WHERE session = ?1 AND first >= "
           "coalesce((SELECT max(first) FROM runs WHERE session = ?1 AND first <= ?2), 0) "
           "ORDER BY first"),
      make("SELECT from_sequence, to_sequence FROM gaps WHERE session = ?1 ORDER BY from_sequence"),
      make("SELECT r.number, r.session, r.first, r.last - r.first + 1, s.closed_at IS NOT NULL, "
           "r.time FROM runs r JOIN sessions s ON s.number = r.session WHERE r.number > ?1 "
           "ORDER BY r.number LIMIT 256"),
      make("DELETE FROM runs WHERE number = ?1 RETURNING segment, bytes"),
      make("UPDATE runs SET first = first + ?2 WHERE number = ?1"),
      make("SELECT number, first, last - first + 1 FROM runs WHERE session = ?1 ORDER BY first "
           "LIMIT ?2"),
      make("DELETE FROM sessions WHERE number = ?1"),
      make("SELECT number, closed_at, isolation, cause, "
           "EXISTS (SELECT 1 FROM runs WHERE runs.session = sessions.number) "
           "FROM sessions WHERE number > ?1 AND closed_at IS NOT NULL ORDER BY number LIMIT 256"),
      make("SELECT first, requests FROM runs WHERE session = ?1 AND first < ?2 "
           "ORDER BY first DESC"),
      make("UPDATE sessions SET output_bytes = iif(?2 > 0, ?2, output_bytes), "
           "output_first_line = iif(?2 > 0, ?3, output_first_line), "
           "output_last_line = iif(?2 > 0, ?4, output_last_line), "
           "input_sequence = max(input_sequence, ?5), input_prompt = max(input_prompt, ?6) "
           "WHERE number = ?1"),
      make("SELECT max(coalesce((SELECT last FROM runs WHERE session = ?1 ORDER BY first DESC "
           "LIMIT 1), 0), coalesce((SELECT max(to_sequence) FROM gaps WHERE session = ?1), 0))"),
      make("SELECT request FROM calls WHERE session = ?1 AND answer = 0 AND request > "
           "(SELECT opened_sequence FROM sessions WHERE number = ?1) ORDER BY request"),
      make("SELECT request, answer FROM calls WHERE session = ?1 AND answer > ?2 ORDER BY answer"),
      make("INSERT OR IGNORE INTO session_entries (session, kind, segment, extents, bytes) "
           "VALUES (?1, ?2, ?3, ?4, ?5) RETURNING bytes"),
      make("UPDATE OR IGNORE session_entries SET kind = 4 WHERE session = ?1 AND kind BETWEEN ?2 "
           "AND ?3"),
      make("DELETE FROM session_entries WHERE kind = 4 AND segment < ?1 RETURNING bytes"),
      make("DELETE FROM session_entries WHERE session = ?1 RETURNING bytes"),
      make("DELETE FROM session_entries WHERE segment = ?1 RETURNING bytes"),
      make("SELECT number, segment, extents FROM unused WHERE number > ?1 ORDER BY number"),
      make("DELETE FROM unused WHERE number = ?1"),
      make("DELETE FROM unused WHERE segment = ?1"),
      make("INSERT INTO unused (segment, extents) VALUES (?1, ?2)"),
      make("UPDATE sessions SET upstream_use = ?2 WHERE id = ?1"),
      make("INSERT OR IGNORE INTO audit "
           "(number, time, session, action, detail, principal, transport, peer, segment, extents) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING number"),
      make("SELECT number, time, session, action, detail, principal, transport, peer FROM audit "
           "WHERE number > ?1 AND (?2 IS NULL OR session = ?2) "
           "AND (?3 IS NULL OR principal = ?3) ORDER BY number"),
      make("SELECT number, time FROM audit ORDER BY number LIMIT ?1"),
      make("DELETE FROM audit WHERE number <= ?1"),
      make("INSERT INTO properties (name, value) VALUES (?1, ?2) "
           "ON CONFLICT (name) DO UPDATE SET value = ?2"),
      make("SELECT EXISTS (SELECT 1 FROM runs WHERE segment = ?1 AND segment > 0)"),
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
  record.agent = row.column_text(11);
  record.updated_at = wall_time(row.column_number(12));
  record.agent_profile = row.column_text(13);
  record.agent_settings = row.column_text(14);
  record.image = row.column_text(15);
  record.image_id = row.column_text(16);
  record.progress.output.bytes = static_cast<std::uint64_t>(row.column_number(17));
  record.progress.output.first_line = static_cast<std::uint64_t>(row.column_number(18));
  record.progress.output.last_line = static_cast<std::uint64_t>(row.column_number(19));
  record.progress.input = row.column_number(20);
  record.progress.prompt = row.column_number(21);
  record.upstream_use = row.column_text(22);
  return record;
}

}  // namespace relay::storage
