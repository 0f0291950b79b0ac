// The tables of the log as operations on one connection. Everything runs on the storage thread.
//
// Writes go through write(), a transaction a call. Reads see what is committed, and on top of it
// the writes that are `held` because the database cannot be written.
#pragma once

#include "storage/database.hpp"
#include "storage/message_log.hpp"
#include "storage/pending_writes.hpp"
#include "storage/retention.hpp"
#include "storage/statement.hpp"

#include <limits>
#include <map>
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
  // `database` is migrated.
  static Result<std::unique_ptr<MessageStore>> make(Database database);

  // All of them or, on failure, none. written_order() then says that they are written.
  Result<WriteCount> write(HeldWrites writes);
  // The order of the last write that the database has. It has those before, too, of whatever run.
  std::uint64_t written_order() const { return written_order_; }
  // Nothing is left to write: what was kept for writes to sessions that are closed may go.
  void settled();
  // The numbers that sessions were given until now are not used any more.
  void forget_numbers() { reopened_.clear(); }

  // One small transaction; `done` when nothing is left to delete.
  Result<RetentionStep> retain(const RetentionLimits& limits, WallTime now,
                               std::int64_t after_place);

  // One small transaction: closed sessions without messages, from the lowest number on, with their
  // gaps.
  Result<RetentionStep> forget_empty(const RetentionLimits& limits, WallTime now,
                                     std::int64_t after_number, const HasMore& has_more);
  LogSize size();

  // Writes all there is into an empty file.
  Result<void> copy_to(const std::string& path);
  // This is a copy of `before`, in whose place it comes.
  void go_on_from(MessageStore& before);
  // Closing leaves everything at the path as it is: it is another database's by now.
  void leave() { database_.at_close(Database::AtClose::kLeave); }

  Result<HistoryPage> history(const SessionId& session, Sequence after, std::size_t limit,
                              std::size_t max_bytes, HeldWrites held);
  Result<std::optional<SessionRecord>> find(const SessionId& session, HeldWrites held);
  Result<SessionPage> list(const SessionQuery& query, HeldWrites held);
  // One step of it, a few milliseconds.
  Result<RequestSearch> search_requests(RequestSearch search, HeldWrites held);
  // One small transaction, from the oldest messages on; what is deleted of a session that is not
  // `done` is a gap of it.
  Result<EraseStep> erase(const SessionId& session);

  // See MessageLog.
  Result<OpenCalls> open_calls(const SessionId& session);

  // The highest number of a message or gap that is in the database; 0: none.
  Sequence known_up_to(const std::string& session);

  Result<std::string> instance_id();
  // 1 for the first run on this database, then 2, 3 ...
  Result<std::int64_t> begin_run();
  Result<std::int64_t> highest_session_number();
  Result<void> set_page_limit(std::int64_t pages);

 private:
  struct Statements;
  struct NumberedMessage {
    std::int64_t session;
    const MessageRecord* message;
  };

  MessageStore(Database database, std::unique_ptr<Statements> statements);

  // False: the transaction has to be undone.
  bool apply_session_write(const Write& write);
  bool create_session(const SessionCreate& write);
  bool insert_gap(std::int64_t session, Gap gap);
  bool insert_messages(HeldWrites writes, WriteCount& count);
  bool write_progress();
  bool insert_run(std::span<const NumberedMessage> run, WriteCount& count);
  bool delete_rows(std::int64_t session, Sequence first, std::int64_t place, std::int64_t rows,
                   bool whole_run);
  std::optional<std::int64_t> number_of(const SessionKey& session);
  std::optional<std::int64_t> number_of(const std::string& id);
  Error failure(std::string what) const { return database_.error(std::move(what)); }
  Result<void> undone(std::string what);

  Database database_;
  std::unique_ptr<Statements> statements_;
  std::vector<NumberedMessage> batch_;       // its memory is used again for every group
  std::map<SessionKey, Progress> progress_;  // of the group that is being written
  std::uint64_t written_order_ = 0;
  std::int64_t next_place_ = 1;
  std::int64_t rows_ = 0;
  // Sessions that were made again under an id that the database has: number given -> number stored.
  std::unordered_map<std::int64_t, std::int64_t> reopened_;
  std::vector<std::int64_t> closed_;  // given numbers in reopened_ that are not used again

 public:
  ~MessageStore();
};

}  // namespace relay::storage
