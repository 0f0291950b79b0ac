// The tables of the log as operations on one connection, and the messages in the journal whose
// index they are. Everything runs on the storage thread.
//
// Writes go through write(), a transaction a call. Reads see what is committed, and on top of it
// the writes that are `held` because the database cannot be written.
#pragma once

#include "base/unique_fd.hpp"
#include "storage/audit.hpp"
#include "storage/database.hpp"
#include "storage/message_log.hpp"
#include "storage/pending_writes.hpp"
#include "storage/retention.hpp"
#include "storage/run.hpp"
#include "storage/segment_files.hpp"
#include "storage/statement.hpp"

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace relay::storage {

using HeldWrites = std::span<const PendingWrites::Entry>;

struct WriteCount {
  std::uint64_t written = 0;  // messages
  std::uint64_t dropped = 0;  // messages that the database refuses for good: no such session
};

struct EraseStep {
  bool done = false;  // the session is gone
};

// A search for requests of clients, from the newest message back, between two of its steps.
struct RequestSearch {
  SessionId session;
  std::set<std::string> missing;  // ids that were not found so far
  // Messages from here on were looked at.
  Sequence before = std::numeric_limits<Sequence>::max();
  bool done = false;
};

class MessageStore {
 public:
  // `database` is migrated; its journal is beside `path`.
  static Result<std::unique_ptr<MessageStore>> make(Database database, const std::string& path,
                                                    Durability durability);

  // All of them or, on failure, none. written_order() then says that they are written.
  Result<WriteCount> write(HeldWrites writes);
  // The order of the last write that the database has. It has those before, too, of whatever run.
  std::uint64_t written_order() const { return written_order_; }
  // The first file of the journal that may hold what the database has not.
  std::uint32_t unread_segment() const { return unread_segment_; }
  // The database has all that is in the files before this one.
  Result<void> read_up_to(std::uint32_t segment);
  // The number of a file that no message is in, nor was.
  Result<std::uint32_t> next_segment();
  // Whether a message is in the file.
  bool uses_segment(std::uint32_t segment);
  // Where the last entry of the file ends that the database knows the place of; it has all that is
  // before there. 0: it knows of none.
  Result<std::size_t> known_end(std::uint32_t segment);
  // Before anything of it is written.
  void segment_begun(std::uint32_t segment, UniqueFd file) {
    files_.begun(segment, std::move(file));
  }
  // The database has all of the file: it goes when none of its messages is left.
  void segment_ended(std::uint32_t segment);

  // Nothing is left to write: what was kept for writes to sessions that are closed may go.
  void settled();
  // The numbers that sessions were given until now are not used any more.
  void forget_numbers() {
    reopened_.clear();
    closed_.clear();
  }

  // One small transaction; `done` when nothing is left to delete.
  Result<RetentionStep> retain(const RetentionLimits& limits, WallTime now,
                               std::int64_t after_number);

  // One small transaction: closed sessions without messages, from the lowest number on, with their
  // gaps.
  Result<RetentionStep> forget_empty(const RetentionLimits& limits, WallTime now,
                                     std::int64_t after_number, const HasMore& has_more);
  LogSize size();
  // One small transaction, from the oldest rows on; true when nothing is left to delete.
  Result<bool> forget_audit(const AuditLimits& limits, WallTime now);

  // Writes all there is into an empty file.
  Result<void> copy_to(const std::string& path);
  // Of the journal, see SegmentFiles.
  std::uint32_t moved_segment() const { return files_.moved(); }
  Result<void> put_back_segments() { return files_.put_back(); }
  // This is a copy of `before`, in whose place it comes.
  void go_on_from(MessageStore& before);
  // Closing leaves everything at the path as it is: it is another database's by now.
  void leave() { database_.at_close(Database::AtClose::kLeave); }

  Result<HistoryPage> history(const SessionId& session, Sequence after, std::size_t limit,
                              std::size_t max_bytes, HeldWrites held);
  Result<std::optional<SessionRecord>> find(const SessionId& session, HeldWrites held);
  Result<SessionPage> list(const SessionQuery& query, HeldWrites held);
  Result<AuditPage> audit_trail(const AuditQuery& query, HeldWrites held);
  // One step of it, a few milliseconds.
  Result<RequestSearch> search_requests(RequestSearch search, HeldWrites held);
  // One small transaction, from the oldest messages on; what is deleted of a session that is not
  // `done` is a gap of it. See MessageLog.
  Result<EraseStep> erase(const SessionId& session);

  // Whether bytes are left in the journal of what the index had and has no more.
  bool has_unused() const { return has_unused_; }
  // Takes them off the disk, a few milliseconds' worth. True: there are more. Errors: those that
  // are left could not be taken off it; they stay known, and the next call tries them again.
  Result<bool> erase_unused();
  // The same; true: there are more of those that were there when this was last_unused().
  Result<bool> erase_unused_up_to(std::int64_t last);
  Result<std::int64_t> last_unused();
  // Why messages are a gap that the disk has lost, once a file.
  std::vector<std::string> take_lost() { return files_.take_lost(); }

  // See MessageLog.
  Result<OpenCalls> open_calls(const SessionId& session);

  // The highest number of a message or gap that is in the database; 0: none.
  Result<Sequence> known_up_to(const std::string& session);

  const std::string& instance_id() const { return instance_id_; }
  // 1 for the first run on this database, then 2, 3 ...
  Result<std::int64_t> begin_run();
  Result<std::int64_t> highest_session_number();
  Result<void> take_over();
  Result<void> set_page_limit(std::int64_t pages);

 private:
  struct Statements;
  // What an entry says of a session, as the database keeps it: what it has used of upstreams, that
  // it was made, that it was closed or opened again, how it is; or nothing any more. One that says
  // how it is, or what it has used, outdates those before it that did; one that opens it outdates
  // all from kLife on. An outdated one is taken off the disk when its file has ended: until then
  // entries are written beside it.
  enum class EntryKind : std::uint8_t { kUse = 0, kMade = 1, kLife = 2, kState = 3, kOutdated = 4 };
  // Through all bytes that are left, the oldest first. A file in which some can't be erased is left
  // out of it from then on, until a whole sweep has erased nothing; those are tried again after all
  // others of the file.
  struct Sweep {
    std::int64_t after = 0;   // the row that was looked at last
    bool has_erased = false;  // in this sweep
    std::set<std::uint32_t> failing{};
    std::set<std::int64_t> failed{};  // rows
    std::optional<Error> problem{};   // of one of them
  };
  struct NumberedBatch {
    std::int64_t session;
    const MessagesWrite* batch;
  };
  struct RunMessages {
    Sequence first = 0;
    Sequence last = 0;
    std::uint32_t segment = 0;
    std::vector<Extent> extents;
    std::string_view entries;
  };

  MessageStore(Database database, std::unique_ptr<Statements> statements, const std::string& path,
               std::string instance_id);

  Result<void> load();
  // False: the transaction has to be undone.
  bool apply(const SessionCreate& write);
  bool apply(const SessionChange& write);
  bool apply(const SessionClose& write);
  bool apply(const UseWrite& write);
  bool apply(const GapWrite& write);
  bool apply(const ProgressWrite& write);
  bool apply(const SegmentEnd& write);
  // By insert_messages() and insert_audit().
  bool apply(const MessagesWrite&) { return true; }
  bool apply(const AuditWrite&) { return true; }
  // The place of the entry that is the last word comes first; those behind it are outdated, as what
  // was noted of its kind is.
  bool note_last_word(const SessionId& session, EntryKind kind, std::span<const EntryPlace> places);
  bool note_entries(std::int64_t session, EntryKind kind, std::span<const EntryPlace> places);
  bool outdate_entries(std::int64_t session, EntryKind first, EntryKind last);
  // Those of files that have ended.
  bool release_outdated();
  // They are to be taken off the disk, and count no more.
  bool release(Statement& deletion);
  bool note_unused(std::span<const EntryPlace> places);
  bool insert_gap(std::int64_t session, Gap gap);
  bool insert_messages(HeldWrites writes, WriteCount& count);
  bool write_progress();
  bool insert_audit(HeldWrites writes);
  bool set_property(std::string_view name, std::int64_t value);
  bool insert_run(const Run& run, WriteCount& count);
  bool note_calls(std::span<const NumberedBatch> batches);
  bool forget_sent_answers(std::int64_t session, Sequence input);
  Result<void> sync_bodies(HeldWrites writes);
  // Where the messages from `from` on are, of a run or of a batch that is held.
  static RunMessages messages_of(const Statement& row, Sequence from);
  static RunMessages messages_of(const MessagesWrite& held, Sequence from);
  // Gives them to `take` until that answers false. What is not there any more becomes a gap.
  Result<void> read(const RunMessages& messages, std::vector<Gap>& gaps,
                    const std::function<bool(MessageRecord)>& take);
  Result<std::optional<MessageRecord>> message_at(std::int64_t session, Sequence sequence);
  bool delete_run(std::int64_t run);
  bool delete_session(std::int64_t session);
  bool shorten_run(std::int64_t run, std::int64_t rows);
  // All that can be; errors: not all of it.
  Result<void> erase_extents(std::uint32_t segment, const std::vector<Extent>& extents);
  Result<void> note_erased(const std::vector<std::int64_t>& rows);
  Result<bool> end_sweep();
  // Nothing: there is no such session.
  Result<std::optional<std::int64_t>> number_of(const SessionKey& session);
  Result<std::optional<std::int64_t>> number_of(const std::string& id);
  Error failure(std::string what) const { return database_.error(std::move(what)); }
  Result<void> undone(std::string what);

  Database database_;
  std::unique_ptr<Statements> statements_;
  const std::string instance_id_;
  SegmentFiles files_;
  bool sync_ = false;
  std::vector<NumberedBatch> batch_;         // its memory is used again for every group
  std::map<SessionKey, Progress> progress_;  // of the group that is being written
  std::uint64_t written_order_ = 0;
  std::uint32_t unread_segment_ = 1;
  std::int64_t rows_ = 0;
  std::int64_t journal_bytes_ = 0;  // of messages, and of what is said of sessions
  std::int64_t audit_rows_ = 0;
  bool has_unused_ = false;
  Sweep sweep_;
  std::set<std::int64_t> unsent_;  // sessions with answers that their agents may not have
  // Sessions that were made again under an id that the database has: number given -> number stored.
  std::unordered_map<std::int64_t, std::int64_t> reopened_;
  std::vector<std::int64_t> closed_;  // given numbers in reopened_ that are not used again

 public:
  ~MessageStore();
};

}  // namespace relay::storage
