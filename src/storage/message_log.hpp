// The log of sessions and messages: SQLite on a thread of its own.
//
// Writes are put into a bounded queue and committed in groups (at most 5 ms or a byte cap); the
// loop does not wait for them. Reads run on the same thread after everything that was queued before
// them, so a read sees every message recorded before it was asked for. All public functions are
// called on the loop.
//
// A database that is slower than the writers makes the queue grow: whoever reads from agents and
// clients looks at backlog() and pauses.
//
// What is recorded is in the journal (journal.hpp) when record() returns: a killed relay loses
// nothing of it. The next open() brings it in.
//
// When a file of the database is deleted or replaced, the storage thread puts it back with all that
// it had (database_place.hpp).
//
// When the database can't be written (disk full), messages stay in memory up to `max_pending_bytes`
// and are written when it works again; beyond that the oldest unwritten are given up and their
// range is recorded as a gap as soon as possible. `status()` tells.
#pragma once

#include "base/async.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "storage/records.hpp"
#include "storage/retention.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relay::storage {

// What a power cut may take: the last moments before it, or nothing that flush() has returned for.
// A killed relay loses nothing, either way.
enum class Durability { kRelaxed, kStrict };

struct LogOptions {
  std::string path;  // a file, or ":memory:"
  std::size_t max_pending_bytes = 64u << 20;
  std::chrono::milliseconds group_commit{5};
  // Between two looks, before a commit, whether the files are still at their path.
  std::chrono::milliseconds look_period{1000};
  // 0 = unlimited. Enforced in small steps on the storage thread.
  std::int64_t retention_days = 0;
  std::int64_t max_rows = 0;
  std::int64_t max_bytes = 0;
  // Likewise of the audit trail.
  std::int64_t audit_days = 0;
  std::int64_t audit_rows = 0;
  // Such closed sessions stay although they have no messages any more. Called on the storage
  // thread.
  HasMore has_more;
  Durability durability = Durability::kRelaxed;
  // Takes secrets out of a message before it is written or read back; empty result: nothing to take
  // out. Called on the loop.
  std::function<std::optional<std::string>(std::string_view)> redact;
};

LogLimits limits_of(const LogOptions& options);

// A contiguous range of one session's sequence numbers that the log does not hold.
struct Gap {
  Sequence from = 0;
  Sequence to = 0;
};

struct HistoryPage {
  std::vector<MessageRecord> messages;  // ascending
  std::vector<Gap> gaps;                // within the range that was asked for, ascending
  bool complete = true;                 // false: more messages follow the last one
};

// Gives all that the page speaks of in the order of the numbers.
template <class TakeGap, class TakeMessage>
void in_order(const HistoryPage& page, const TakeGap& take_gap, const TakeMessage& take_message) {
  auto gap = page.gaps.begin();
  for (const MessageRecord& message : page.messages) {
    for (; gap != page.gaps.end() && gap->from < message.sequence; ++gap) take_gap(*gap);
    take_message(message);
  }
  for (; gap != page.gaps.end(); ++gap) take_gap(*gap);
}

struct SessionPage {
  // The newest first; without agent_profile and agent_settings, which find() has.
  std::vector<SessionRecord> sessions;
  std::optional<std::string> next_cursor;
};

struct SessionQuery {
  // Only sessions of this principal, of this configured agent (empty: the default one), in exactly
  // this directory.
  std::optional<std::string> owner;
  std::optional<std::string> agent;
  std::optional<std::string> working_directory;
  bool only_active = false;
  std::size_t limit = 100;
  std::string cursor;  // empty: from the newest
};

struct AuditQuery {
  std::optional<std::string> session;
  std::optional<std::string> principal;  // empty: what was done without authentication
  std::int64_t after = 0;                // rows with a higher number
  std::size_t limit = 100;
};

struct AuditPage {
  std::vector<AuditRecord> rows;  // the oldest first
  bool complete = true;           // false: more rows follow the last one
};

// What a session's agent and its clients wait for, as the log has it.
struct OpenCalls {
  std::vector<MessageRecord> requests;  // without a response, ascending
  // Answers to the agent that may not have been written to it, with the ids that it knows them by.
  std::vector<MessageRecord> unsent_answers;
};

// More ids than this are refused by known_requests().
inline constexpr std::size_t kMaxAskedRequests = 1'000;

// So much may wait before agents and clients are held back.
constexpr std::size_t max_backlog(std::size_t max_pending_bytes) { return max_pending_bytes / 4; }

struct LogStatus {
  bool writable = true;           // the database and the journal
  std::string last_error;         // why not writable
  std::size_t pending_bytes = 0;  // queued or held back, not yet in the database
  std::size_t backlog = 0;        // see MessageLog::backlog()
  // How long it has been beyond max_backlog(), but for moments.
  std::chrono::steady_clock::duration held_back_for{};
  std::uint64_t lost_messages = 0;  // given up since start
  std::uint64_t written_messages = 0;
  std::uint64_t deleted_messages = 0;    // by retention, since start
  std::uint64_t forgotten_sessions = 0;  // likewise, closed ones without messages
  std::uint64_t wal_bytes = 0;
  std::int64_t disk_free_bytes = -1;  // where the database lies; -1: not known
};

// Resource; one per database file (a lock file that names the pid refuses a second process).
// Destroy it before the io_context of `loop`: its thread posts answers there.
class MessageLog {
 public:
  // Opens or creates, migrates, and brings in what an earlier run left in its journal. Sessions
  // that it left open stay so: the caller goes on with them or closes them. Fails with a remedy
  // when the file can't be written, belongs to another application, or was written by a newer
  // version: then it is left untouched.
  static Result<std::unique_ptr<MessageLog>> open(asio::any_io_executor loop, LogOptions options,
                                                  Logger log);
  // Writes everything that is queued, then closes. Blocks; normally after flush().
  virtual ~MessageLog() = default;

  // Open or, with closed_at and cause, closed. One that has a row becomes what `session` says, in
  // one write: its messages stay.
  virtual void session_created(SessionRecord session) = 0;
  virtual void session_changed(SessionRecord session) = 0;  // agent id, title, cwd, last_sequence
  virtual void session_closed(SessionId id, std::string cause, WallTime at) = 0;
  // What the session has used of upstreams until now, JSON text without secrets. Replaces what was
  // said before; stays when the session is closed or reopened. Kept only of a session that has a
  // row.
  virtual void session_used(SessionId id, std::string upstream_use) = 0;
  // A closed session is open again: with the agent id, title, cwd, isolation and agent of
  // `session`, and without its time and cause of closing. `session` is best what find() answered:
  // messages go on from its last_sequence. When the session was erased in between it is made again,
  // and what it had is a gap.
  virtual void session_reopened(SessionRecord session) = 0;
  // The next messages of a session, and how far its agent has come with them (what is 0 of it stays
  // as it was). Moves them away. They are in the journal when this returns. A relay that is killed
  // before has all of them or none, when they come with a progress and without a hole.
  virtual void record(const SessionId& session, std::span<MessageRecord> messages,
                      const Progress& progress) = 0;
  void record(const SessionId& session, MessageRecord message) {
    record(session, {&message, 1}, {});
  }
  // Somebody did something to a session. In the journal when this returns; secrets are taken out
  // and long texts cut. The row stays when the session is erased.
  virtual void audit(AuditRecord record) = 0;
  // These numbers belong to messages that nobody can read any more.
  virtual void gap(const SessionId& session, Gap gap) = 0;

  // Messages with sequence > after, at most `limit` and about `max_bytes` of bodies (at least one).
  virtual Task<Result<HistoryPage>> history(SessionId session, Sequence after, std::size_t limit,
                                            std::size_t max_bytes) = 0;
  virtual Task<Result<std::optional<SessionRecord>>> find(SessionId session) = 0;
  // About 8 MiB at most, and at least one session: next_cursor says whether there are more.
  virtual Task<Result<SessionPage>> list(SessionQuery query) = 0;

  virtual Task<Result<AuditPage>> audit_trail(AuditQuery query) = 0;

  // Which of these ids (JSON texts, compared as texts) are ids of requests that clients made in the
  // session, as far as its messages are still there; in the order of the question. The search goes
  // from the newest message back until all are found, in steps that other reads and writes come
  // between. An id that is not there costs a walk through the whole session (about a second for a
  // million messages). Requests recorded after the question may be missed.
  virtual Task<Result<std::vector<std::string>>> known_requests(
      SessionId session, std::vector<std::string> rpc_ids) = 0;

  // From here on; what is too much by them begins to go at once.
  virtual void change_limits(const LogLimits& limits) = 0;

  // Of a session that nobody records in at the moment.
  virtual Task<Result<OpenCalls>> open_calls(SessionId session) = 0;

  // Deletes a closed session with all it has, or one that is open with a cause, because it was
  // never finished: it stays so until all of it is gone. Refused while it is open without one
  // (session_not_found when there is none). A large one goes in steps, the oldest messages first,
  // that other reads and writes come between; when it is cancelled, or fails, what is left stays
  // and the rest is a gap.
  virtual Task<Result<void>> erase(SessionId session) = 0;

  // Returns when everything queued so far is in the database or was given up. On a full disk that
  // may be never: put a limit on the wait (cancelling it is safe).
  virtual Task<void> flush() = 0;

  // Random, made with the database and kept in it; empty for the null log. No two relays that run
  // on this machine have the same.
  virtual std::string instance_id() const = 0;

  // The database is a backup whose relay may have had newer sessions, until that is said to be
  // seen to.
  virtual bool is_backup() const = 0;
  virtual Task<Result<void>> take_over() = 0;

  // Which run on this database this is: 1, 2, 3 ...
  virtual std::int64_t run() const = 0;

  virtual LogStatus status() const = 0;

  // Bytes that wait to be written, or in the journal for the index, and will be: 0 while the
  // database can't be written, for waiting would not help. Cheap, unlike status().
  virtual std::size_t backlog() const = 0;
};

// The log that keeps nothing (database.path: "" — benchmarks and privacy): histories are empty.
std::unique_ptr<MessageLog> make_null_log();

}  // namespace relay::storage
