#include "storage/migrate_messages.hpp"

#include "storage/database.hpp"
#include "storage/journal_codec.hpp"
#include "storage/statement.hpp"

#include <utility>
#include <vector>

namespace relay::storage {
namespace {

MessageRecord message_of(const Statement& row) {
  MessageRecord message;
  message.sequence = row.column_number(0);
  message.origin = static_cast<Origin>(row.column_number(1));
  message.kind = static_cast<MessageKind>(row.column_number(2));
  message.to_client = row.column_number(3) != 0;
  message.method = row.column_text(4);
  message.rpc_id = row.column_text(5);
  message.time = WallTime(std::chrono::milliseconds(row.column_number(6)));
  message.body = SharedBytes(row.column_text(7));
  message.call = row.column_number(8);
  message.peer_id = row.column_text(9);
  return message;
}

class Conversion {
 public:
  Conversion(Database& database, Statement runs, Statement messages, Statement insert)
      : database_(database),
        runs_(std::move(runs)),
        messages_(std::move(messages)),
        insert_(std::move(insert)) {}

  Result<void> run() {
    Step step = Step::kDone;
    while ((step = runs_.step()) == Step::kRow) {
      auto converted = convert(runs_.column_number(0), SessionId(runs_.column_text(1)),
                               runs_.column_number(2), runs_.column_number(3));
      if (!converted) return converted;
    }
    return step == Step::kDone ? Result<void>() : database_.error("cannot read the runs");
  }

 private:
  // Messages that are missing in between begin a further run.
  Result<void> convert(std::int64_t number, const SessionId& session, std::int64_t place,
                       std::int64_t end) {
    const ResetAtExit reset(messages_);
    messages_.bind(1, place).bind(2, end);
    std::vector<MessageRecord> batch;
    Step step = Step::kDone;
    while ((step = messages_.step()) == Step::kRow) {
      MessageRecord message = message_of(messages_);
      if (!batch.empty() && batch.back().sequence + 1 != message.sequence) {
        if (!insert(number, session, std::exchange(batch, {}))) return failed();
      }
      batch.push_back(std::move(message));
    }
    if (step != Step::kDone || !insert(number, session, batch)) return failed();
    return {};
  }

  bool insert(std::int64_t number, const SessionId& session,
              const std::vector<MessageRecord>& batch) {
    if (batch.empty()) return true;
    BatchSummary summary;
    for (const MessageRecord& message : batch) summary.add(message);
    const Progress none;
    const MessageBatch view{session, batch, none};
    std::string entry(encoded_size(view), '\0');
    encode(view, 0, entry);
    return insert_.bind(1, number)
               .bind(2, summary.first)
               .bind(3, summary.last)
               .bind(4, std::int64_t{summary.newest.time_since_epoch().count()})
               .bind(5, std::ssize(entry))
               .bind(6, summary.requests)
               .bind_blob(7, entry)
               .run() == Step::kDone;
  }

  Error failed() const { return database_.error("cannot bring messages into the new form"); }

  Database& database_;
  Statement runs_, messages_, insert_;
};

}  // namespace

Result<void> migrate_messages(Database& database) {
  auto runs = Statement::prepare(database,
                                 "SELECT r.session, s.id, r.place, r.place + r.last - r.first "
                                 "FROM old_runs r JOIN sessions s ON s.number = r.session "
                                 "ORDER BY r.place");
  if (!runs) return std::move(runs.error());
  auto messages = Statement::prepare(
      database,
      "SELECT sequence, origin, kind, to_client, method, rpc_id, time, body, call, peer_id "
      "FROM messages WHERE place BETWEEN ?1 AND ?2 ORDER BY place");
  if (!messages) return std::move(messages.error());
  auto insert = Statement::prepare(
      database,
      "INSERT INTO runs (session, first, last, time, segment, bytes, requests, entries) "
      "VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7)");
  if (!insert) return std::move(insert.error());
  return Conversion(database, std::move(*runs), std::move(*messages), std::move(*insert)).run();
}

}  // namespace relay::storage
