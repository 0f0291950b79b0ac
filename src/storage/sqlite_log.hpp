// The MessageLog that keeps its rows in SQLite. Made by MessageLog::open(); named here for tests.
#pragma once

#include "storage/database_place.hpp"
#include "storage/identity.hpp"
#include "storage/journal.hpp"
#include "storage/log_writer.hpp"
#include "storage/message_log.hpp"

#include <string>
#include <unordered_map>

namespace relay::storage {

class SqliteLog final : public MessageLog {
 public:
  static Result<std::unique_ptr<SqliteLog>> open(asio::any_io_executor loop, LogOptions options,
                                                 Logger log);
  ~SqliteLog() override;

  void session_created(SessionRecord session) override;
  void session_changed(SessionRecord session) override;
  void session_closed(SessionId id, std::string cause, WallTime at) override;
  void session_used(SessionId id, std::string upstream_use) override;
  void session_reopened(SessionRecord session) override;
  using MessageLog::record;
  void record(const SessionId& session, std::span<MessageRecord> messages,
              const Progress& progress) override;
  void audit(AuditRecord record) override;
  void gap(const SessionId& session, Gap gap) override;
  void change_limits(const LogLimits& limits) override { writer_.change_limits(limits); }
  Task<Result<HistoryPage>> history(SessionId session, Sequence after, std::size_t limit,
                                    std::size_t max_bytes) override;
  Task<Result<std::optional<SessionRecord>>> find(SessionId session) override;
  Task<Result<SessionPage>> list(SessionQuery query) override;
  Task<Result<AuditPage>> audit_trail(AuditQuery query) override;
  Task<Result<std::vector<std::string>>> known_requests(SessionId session,
                                                        std::vector<std::string> rpc_ids) override;
  Task<Result<OpenCalls>> open_calls(SessionId session) override;
  Task<Result<void>> erase(SessionId session) override;
  Task<void> flush() override;
  std::string instance_id() const override { return identity_.instance; }
  bool is_backup() const override { return identity_.is_backup; }
  Task<Result<void>> take_over() override;
  std::int64_t run() const override { return run_; }
  LogStatus status() const override;
  std::size_t backlog() const override { return writer_.backlog(); }

  // Makes the database as full as a disk may be: SQLite refuses to grow it beyond so many pages.
  // Counted from the writes before the call on; the next attempt to write is made at once.
  Task<Result<void>> set_page_limit(std::int64_t pages);

 private:
  struct Opened {
    std::unique_ptr<DatabasePlace> place;  // none for a database in memory
    std::unique_ptr<MessageStore> store;
    Identity identity;
    std::int64_t run = 0;
    std::int64_t highest_number = 0;
    std::uint32_t next_segment = 1;
  };
  static Result<Opened> open_store(const LogOptions& options, const Logger& log);
  SqliteLog(asio::any_io_executor loop, LogOptions options, Opened opened, Logger log);

  // Runs `operation(store, held)` on the storage thread and answers with its result.
  template <class Answer, class Operation>
  Task<Answer> ask(Operation operation, bool wants_settled_writes = false);
  SessionKey key_of(const SessionId& session) const;
  // Takes secrets out of what is to be written.
  void clean(std::string& text) const;
  void clean_id(std::string& spelled) const;
  void clean(SessionRecord& session) const;
  // Puts an entry into the journal; what it says goes into the queue after it.
  std::optional<EntryPlace> journal(const EntryView& entry);
  void record_run(const SessionId& session, std::span<MessageRecord> messages,
                  const Progress& progress);
  void queue(Write write, std::optional<EntryPlace> place = {});
  void push_batch();
  void queue_full_segments();

  const asio::any_io_executor loop_;
  const std::string path_;
  Identity identity_;
  const std::int64_t run_;
  const std::function<std::optional<std::string>(std::string_view)> redact_;
  std::int64_t highest_number_;
  std::unordered_map<SessionId, std::int64_t> numbers_;  // of open sessions
  // None for a database in memory. Asking it how it is may mend it.
  mutable std::optional<Journal> journal_;
  std::vector<Write> batch_;  // on the way to the queue; its memory is used again
  LogWriter writer_;
};

}  // namespace relay::storage
