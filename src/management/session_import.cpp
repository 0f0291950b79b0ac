#include "management/session_import.hpp"

#include "management/session_file.hpp"
#include "protocol/relay_ids.hpp"
#include "session/unfinished.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <vector>

namespace relay::management {
namespace {

constexpr std::string_view kImported = "imported: ";
constexpr std::size_t kStepBytes = 1u << 20;
constexpr std::size_t kMaxBacklog = 16u << 20;

Error exists(const SessionId& id) {
  return make_error(ErrorType::kInvalidParams, "the log has a session " + id.value() + " already")
      .because("it was imported before, or this is the relay that it was exported from")
      .suggest("give it an id of its own here: acp-relay sessions import --new-id")
      .suggest("or erase the one that is there: DELETE /api/sessions/" + id.value() +
               " on the management port")
      .with("session_id", id.value())
      .with("exists", true);
}

Error not_written(const storage::LogStatus& status) {
  return make_error(ErrorType::kInternalError, "the log can't be written: nothing was imported")
      .because(status.last_error.empty() ? "messages had to be given up" : status.last_error)
      .suggest("see /api/ready, make room on the disk of database.path, and import again")
      .retryable();
}

// Other work of the loop goes on in between.
Task<void> give_way() { co_await asio::post(asio::use_awaitable); }

// The head of a file that is right from its first line to its last.
Task<Result<storage::SessionRecord>> check(std::string_view file, std::size_t max_line_bytes) {
  SessionFileReader reader(max_line_bytes);
  storage::SessionRecord head;
  std::size_t step = 0;
  while (!file.empty()) {
    const std::string_view line = take_line(file);
    auto entry = reader.take(line);
    if (!entry) co_return std::move(entry.error());
    if (*entry) {
      if (auto* session = std::get_if<storage::SessionRecord>(&**entry)) head = std::move(*session);
    }
    step += line.size();
    if (step < kStepBytes) continue;
    step = 0;
    co_await give_way();
  }
  auto whole = reader.finish();
  if (!whole) co_return std::move(whole.error());
  co_return head;
}

class Import {
 public:
  Import(storage::MessageLog& log, std::string_view file, std::size_t max_line_bytes)
      : log_(log), file_(file), reader_(max_line_bytes) {}

  // The messages of a file that was checked, for a session that is there.
  Task<Result<std::int64_t>> write(const SessionId& from, const SessionId& to) {
    const std::uint64_t lost = log_.status().lost_messages;
    std::size_t step = 0;
    while (!file_.empty()) {
      const std::string_view line = take_line(file_);
      auto entry = reader_.take(line);
      if (!entry) co_return std::move(entry.error());
      if (*entry) keep(std::move(**entry), from, to);
      step += line.size();
      if (step < kStepBytes) continue;
      step = 0;
      write_batch(to);
      co_await room();
      const storage::LogStatus status = log_.status();
      if (!status.writable || status.lost_messages != lost) co_return not_written(status);
    }
    write_batch(to);
    co_await settle();
    const storage::LogStatus status = log_.status();
    if (!status.writable || status.lost_messages != lost) co_return not_written(status);
    co_return reader_.messages();
  }

 private:
  void keep(SessionFileReader::Entry entry, const SessionId& from, const SessionId& to) {
    if (const auto skipped = reader_.skipped()) give_up(*skipped, to);
    if (const auto* gap = std::get_if<storage::Gap>(&entry)) return give_up(*gap, to);
    auto* message = std::get_if<storage::MessageRecord>(&entry);
    if (message == nullptr) return;
    if (from != to) {
      message->body = SharedBytes(for_session(message->body.view(), from.value(), to.value()));
    }
    batch_.push_back(std::move(*message));
  }
  void give_up(const storage::Gap& gap, const SessionId& to) {
    write_batch(to);
    log_.gap(to, gap);
  }
  void write_batch(const SessionId& to) {
    if (!batch_.empty()) log_.record(to, batch_, {});
    batch_.clear();
  }

  // The backlog counts as nothing while the log can't be written: then this ends, too.
  Task<void> room() {
    co_await give_way();
    while (log_.backlog() > kMaxBacklog) {
      const bool slept = co_await sleep_for(std::chrono::milliseconds(5));
      if (!slept) co_return;
    }
  }
  Task<void> settle() {
    using namespace asio::experimental::awaitable_operators;
    auto settled = log_.flush();
    auto failed = log_fails();
    co_await (std::move(settled) || std::move(failed));
  }
  Task<void> log_fails() {
    while (log_.status().writable) {
      const bool slept = co_await sleep_for(std::chrono::milliseconds(20));
      if (!slept) co_return;
    }
  }

  storage::MessageLog& log_;
  std::string_view file_;
  SessionFileReader reader_;
  std::vector<storage::MessageRecord> batch_;
};

}  // namespace

storage::SessionRecord imported_record(storage::SessionRecord head, const SessionId& id,
                                       WallTime now) {
  head.id = id;
  if (!head.closed_at) head.closed_at = now;
  if (!head.cause.starts_with(kImported)) {
    head.cause = std::string(kImported) + (head.cause.empty() ? "it was open" : head.cause);
  }
  return head;
}

Task<Result<ImportedSession>> import_session(storage::MessageLog& log, std::string file,
                                             ImportOptions options, ClaimId claim) {
  if (log.instance_id().empty()) {
    co_return make_error(ErrorType::kInvalidParams, "there is no log to import into")
        .because("database.enabled is false")
        .suggest("set database.enabled to true");
  }
  auto head = co_await check(file, options.max_line_bytes);
  if (!head) co_return std::move(head.error());
  const SessionId from = head->id;
  const SessionId id = options.new_id ? new_session_id() : from;
  if (!claim(id)) co_return exists(id);
  const auto there = co_await log.find(id);
  if (!there) co_return there.error();
  if (*there && (*there)->cause != kUnfinishedImport) co_return exists(id);
  if (*there) {
    const auto erased = co_await log.erase(id);
    if (!erased) co_return erased.error();
  }

  storage::SessionRecord record = imported_record(std::move(*head), id, wall_now());
  storage::SessionRecord unfinished = record;
  unfinished.cause = kUnfinishedImport;
  unfinished.last_sequence = 0;  // numbers that it had would be missed
  // Retention would take it for one that may go before its first messages are there.
  unfinished.closed_at = wall_now();
  log.session_created(std::move(unfinished));
  Import import(log, file, options.max_line_bytes);
  const auto written = co_await import.write(from, id);
  if (!written) {
    const auto erased = co_await log.erase(id);
    static_cast<void>(erased);  // the cause says what is left
    co_return written.error();
  }
  ImportedSession done{id, *written, record.last_sequence};
  record.updated_at = std::max(record.updated_at, wall_now());
  // In one write: a relay that is killed leaves an unfinished session or a whole one, no open one.
  log.session_created(std::move(record));
  co_return done;
}

}  // namespace relay::management
