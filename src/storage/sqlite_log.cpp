#include "storage/sqlite_log.hpp"

#include "storage/answer.hpp"
#include "storage/audit.hpp"
#include "storage/database_file.hpp"
#include "storage/identity.hpp"
#include "storage/journal_fold.hpp"
#include "storage/open_database.hpp"

#include <algorithm>
#include <system_error>

namespace relay::storage {
namespace {

constexpr std::string_view kInMemory = ":memory:";
// An entry is read as a whole: larger ones have a single message, or what has to stay together.
constexpr std::size_t kMaxEntryBytes = 1u << 20;
// The length of an entry has 31 bits.
constexpr std::size_t kMaxWholeEntryBytes = (1u << 31) - (1u << 20);

// In an entry it takes no more.
std::size_t entry_bytes(const MessageRecord& message) {
  constexpr std::size_t kNumbersAndLengths = 64;
  return kNumbersAndLengths + message.method.size() + message.rpc_id.size() +
         message.peer_id.size() + message.body.size();
}

// How many of the messages go into one entry, which has no hole between its numbers.
std::size_t entry_length(std::span<const MessageRecord> messages, std::size_t max_bytes) {
  std::size_t count = std::min<std::size_t>(messages.size(), 1);
  std::size_t bytes = count > 0 ? entry_bytes(messages[0]) : 0;
  for (; count < messages.size(); ++count) {
    bytes += entry_bytes(messages[count]);
    const bool follows = messages[count].sequence == messages[count - 1].sequence + 1;
    if (!follows || bytes > max_bytes) break;
  }
  return count;
}

}  // namespace

Result<SqliteLog::Opened> SqliteLog::open_store(const LogOptions& options, const Logger& log) {
  Opened opened;
  const bool in_memory = options.path == kInMemory;
  UniqueFd lock;
  if (!in_memory) {
    auto usable = check_database_file(options.path);
    if (!usable) return std::move(usable.error());
    auto locked = lock_database(options.path);
    if (!locked) return std::move(locked.error());
    lock = std::move(*locked);
    auto writable = make_writable_file(options.path);
    if (!writable) return std::move(writable.error());
  }
  auto database = open_database(options.path, options.durability);
  if (!database) return std::move(database.error());
  auto identity = take_identity(*database, options.path, log);
  if (!identity) return explained(std::move(identity.error()), options.path);
  opened.identity = std::move(*identity);
  auto store = MessageStore::make(std::move(*database), options.path, options.durability);
  if (!store) return explained(std::move(store.error()), options.path);
  opened.store = std::move(*store);
  if (!in_memory) {
    auto folded = fold_journal(options.path, opened.identity.instance, *opened.store, log);
    if (!folded) return explained(folded.error(), options.path);
    opened.next_segment = *folded;
  }
  auto run = opened.store->begin_run();
  if (!run) return explained(std::move(run.error()), options.path);
  opened.run = *run;
  auto highest = opened.store->highest_session_number();
  if (!highest) return explained(std::move(highest.error()), options.path);
  opened.highest_number = *highest;
  if (!in_memory) {
    opened.place = std::make_unique<DatabasePlace>(options.path, opened.identity.instance,
                                                   options.durability, std::move(lock));
  }
  return opened;
}

Result<std::unique_ptr<SqliteLog>> SqliteLog::open(asio::any_io_executor loop, LogOptions options,
                                                   Logger log) {
  if (options.path.empty()) {
    return make_error(ErrorType::kInternalError, "the database has no path")
        .suggest("set database.path to a file, or database.enabled to false");
  }
  auto opened = open_store(options, log);
  if (!opened) return std::move(opened.error());
  return std::unique_ptr<SqliteLog>(
      new SqliteLog(std::move(loop), std::move(options), std::move(*opened), std::move(log)));
}

SqliteLog::SqliteLog(asio::any_io_executor loop, LogOptions options, Opened opened, Logger log)
    : loop_(std::move(loop)),
      path_(options.path),
      identity_(std::move(opened.identity)),
      run_(opened.run),
      redact_(options.redact),
      highest_number_(opened.highest_number),
      writer_(std::move(opened.store), std::move(opened.place), options, log) {
  if (path_ != kInMemory) {
    journal_.emplace(path_, identity_.instance, opened.next_segment, options.max_pending_bytes,
                     std::move(log));
    writer_.when_segment_ends(
        [this](JournalSegment segment) { journal_->ended(std::move(segment)); });
    writer_.when_moved([this] { journal_->begin_anew(); });
  }
  writer_.start();
}

SqliteLog::~SqliteLog() {
  if (journal_) {
    journal_->close();
    queue_full_segments();
  }
  writer_.finish();
  // Before the lock: who finds that free finds this free, too.
  identity_.claim.reset();
}

SessionKey SqliteLog::key_of(const SessionId& session) const {
  const auto known = numbers_.find(session);
  if (known == numbers_.end()) return {0, session.value()};
  return {known->second, {}};
}

void SqliteLog::clean(std::string& text) const {
  if (!redact_ || text.empty()) return;
  if (auto changed = redact_(text)) text = std::move(*changed);
}

// A number stays: it stands in JSON as it is, and is found by what it is.
void SqliteLog::clean_id(std::string& spelled) const {
  if (spelled.starts_with('"')) clean(spelled);
}

void SqliteLog::clean(SessionRecord& session) const {
  clean(session.title);
  clean(session.agent_profile);
  clean(session.agent_settings);
}

// What is in the queue alone would be lost with the relay.
std::optional<EntryPlace> SqliteLog::journal(const EntryView& entry) {
  if (!journal_) return std::nullopt;
  const auto place = journal_->append(entry, writer_.next_order());
  for (Journal::Begun& begun : journal_->take_begun()) writer_.segment_begun(std::move(begun));
  return place;
}

void SqliteLog::queue(Write write, std::optional<EntryPlace> place) {
  if (place) set_place(write, *place);
  batch_.push_back(std::move(write));
  push_batch();
}

void SqliteLog::push_batch() {
  if (!batch_.empty()) writer_.push(batch_);
  queue_full_segments();
}

// Behind what is in them: when the database has that, it needs them no more.
void SqliteLog::queue_full_segments() {
  if (!journal_) return;
  for (JournalSegment& full : journal_->take_full()) {
    batch_.emplace_back(std::make_unique<SegmentEnd>(SegmentEnd{std::move(full)}));
  }
  if (!batch_.empty()) writer_.push(batch_);
}

void SqliteLog::session_created(SessionRecord session) {
  const std::int64_t number = ++highest_number_;
  // What comes to a closed one goes by its id, as after session_closed().
  if (session.closed_at) {
    numbers_.erase(session.id);
  } else {
    numbers_[session.id] = number;
  }
  session.updated_at = std::max(session.updated_at, session.created_at);
  clean(session);
  auto create = std::make_unique<SessionCreate>(SessionCreate{number, std::move(session)});
  const auto place = journal(create.get());
  queue(std::move(create), place);
}

void SqliteLog::session_changed(SessionRecord session) {
  session.updated_at = std::max(session.updated_at, wall_now());
  clean(session);
  auto change = std::make_unique<SessionChange>(SessionChange{std::move(session)});
  const auto place = journal(change.get());
  queue(std::move(change), place);
}

void SqliteLog::session_closed(SessionId id, std::string cause, WallTime at) {
  const auto known = numbers_.extract(id);
  const std::int64_t number = known ? known.mapped() : 0;
  auto close =
      std::make_unique<SessionClose>(SessionClose{std::move(id), std::move(cause), at, number});
  const auto place = journal(close.get());
  queue(std::move(close), place);
}

void SqliteLog::session_used(SessionId id, std::string upstream_use) {
  auto use = std::make_unique<UseWrite>(UseWrite{std::move(id), std::move(upstream_use)});
  const auto place = journal(use.get());
  queue(std::move(use), place);
}

void SqliteLog::session_reopened(SessionRecord session) {
  session.closed_at.reset();
  session.cause.clear();
  session.updated_at = std::max(session.updated_at, wall_now());
  session_created(std::move(session));
}

void SqliteLog::record(const SessionId& session, std::span<MessageRecord> messages,
                       const Progress& progress) {
  if (redact_) {
    for (MessageRecord& message : messages) {
      if (auto body = redact_(message.body.view())) message.body = SharedBytes(std::move(*body));
      clean(message.method);
      clean_id(message.rpc_id);
      clean_id(message.peer_id);
    }
  }
  const Progress none;
  // A relay that is killed between two entries would leave messages of the agent without how far it
  // has come with them: the next run would take them from it once more.
  const std::size_t max_bytes = progress.any() ? kMaxWholeEntryBytes : kMaxEntryBytes;
  while (true) {
    const std::size_t count = entry_length(messages, max_bytes);
    const bool last = count == messages.size();
    record_run(session, messages.first(count), last ? progress : none);
    if (last) return;
    messages = messages.subspan(count);
  }
}

void SqliteLog::record_run(const SessionId& session, std::span<MessageRecord> messages,
                           const Progress& progress) {
  const MessageBatch batch{session, messages, progress};
  const auto place = journal(batch);
  const SessionKey key = key_of(session);
  if (!messages.empty()) {
    MessagesWrite write{key, {}, place.value_or(EntryPlace()), {}};
    for (const MessageRecord& message : messages) write.summary.add(message);
    if (!place) {
      write.entry.resize(encoded_size(batch));
      encode(batch, writer_.next_order(), write.entry);
    }
    batch_.emplace_back(std::move(write));
  }
  if (progress.any()) batch_.emplace_back(ProgressWrite{key, progress});
  push_batch();
}

void SqliteLog::audit(AuditRecord record) {
  // Redacted while it is whole: half a secret would not be known for one.
  clean(record.action);
  clean(record.detail);
  bound(record);
  const auto place = journal(&record);
  queue(std::make_unique<AuditWrite>(AuditWrite{std::move(record)}), place);
}

void SqliteLog::gap(const SessionId& session, Gap gap) {
  journal(SessionGap{session, gap});
  queue(GapWrite{key_of(session), gap});
}

template <class Answer, class Operation>
Task<Answer> SqliteLog::ask(Operation operation, bool wants_settled_writes) {
  const auto place = std::make_shared<std::optional<Answer>>();
  auto wakeup = std::make_unique<Wakeup>(loop_);
  Wakeup& answered = *wakeup;
  writer_.submit(std::make_unique<AskingJob<Answer, Operation>>(
      loop_, std::move(wakeup), place, std::move(operation), wants_settled_writes));
  const bool notified = co_await answered.wait();
  if (!notified) throw boost::system::system_error(asio::error::operation_aborted);
  co_return std::move(**place);
}

Task<Result<HistoryPage>> SqliteLog::history(SessionId session, Sequence after, std::size_t limit,
                                             std::size_t max_bytes) {
  auto operation = [session = std::move(session), after, limit, max_bytes](MessageStore& store,
                                                                           HeldWrites held) {
    return store.history(session, after, limit, max_bytes, held);
  };
  co_return co_await ask<Result<HistoryPage>>(std::move(operation));
}

Task<Result<std::optional<SessionRecord>>> SqliteLog::find(SessionId session) {
  auto operation = [session = std::move(session)](MessageStore& store, HeldWrites held) {
    return store.find(session, held);
  };
  co_return co_await ask<Result<std::optional<SessionRecord>>>(std::move(operation));
}

Task<Result<SessionPage>> SqliteLog::list(SessionQuery query) {
  auto operation = [query = std::move(query)](MessageStore& store, HeldWrites held) {
    return store.list(query, held);
  };
  co_return co_await ask<Result<SessionPage>>(std::move(operation));
}

Task<Result<AuditPage>> SqliteLog::audit_trail(AuditQuery query) {
  auto operation = [query = std::move(query)](MessageStore& store, HeldWrites held) {
    return store.audit_trail(query, held);
  };
  co_return co_await ask<Result<AuditPage>>(std::move(operation));
}

Task<Result<std::vector<std::string>>> SqliteLog::known_requests(SessionId session,
                                                                 std::vector<std::string> rpc_ids) {
  if (rpc_ids.size() > kMaxAskedRequests) {
    co_return make_error(ErrorType::kInvalidParams, "too many ids of requests were asked for")
        .suggest("ask for at most " + std::to_string(kMaxAskedRequests) + " ids at a time")
        .with("count", static_cast<std::int64_t>(rpc_ids.size()));
  }
  RequestSearch search;
  search.session = std::move(session);
  search.missing.insert(rpc_ids.begin(), rpc_ids.end());
  while (!search.missing.empty() && !search.done) {
    auto operation = [search](MessageStore& store, HeldWrites held) {
      return store.search_requests(search, held);
    };
    // Between the steps the storage thread does what else there is.
    auto step = co_await ask<Result<RequestSearch>>(std::move(operation));
    if (!step) co_return step.error();
    search = std::move(*step);
  }
  const auto is_unknown = [&search](const std::string& id) { return search.missing.contains(id); };
  std::erase_if(rpc_ids, is_unknown);
  co_return rpc_ids;
}

Task<Result<OpenCalls>> SqliteLog::open_calls(SessionId session) {
  auto operation = [session = std::move(session)](MessageStore& store, HeldWrites) {
    return store.open_calls(session);
  };
  co_return co_await ask<Result<OpenCalls>>(std::move(operation));
}

Task<Result<void>> SqliteLog::erase(SessionId session) {
  const LogStatus log = writer_.status();
  if (!log.writable) {
    co_return make_error(
        ErrorType::kInternalError,
        "the session cannot be deleted, the message log cannot be written: " + log.last_error)
        .suggest("make room on the disk of database.path, then delete it again");
  }
  bool begun = false;
  while (true) {
    auto operation = [session](MessageStore& store, HeldWrites) { return store.erase(session); };
    // Between the steps the storage thread does what else there is. What waits to be written comes
    // first, or it would make the session again.
    const bool settled = true;
    const auto step = co_await ask<Result<EraseStep>>(std::move(operation), settled);
    if (!step && begun && step.error().type == ErrorType::kSessionNotFound) break;  // by another
    if (!step) co_return step.error();
    if (step->done) break;
    begun = true;
  }
  numbers_.erase(session);  // of one that was still open
  auto look = [](MessageStore& store, HeldWrites) { return store.last_unused(); };
  const auto last = co_await ask<Result<std::int64_t>>(std::move(look));
  if (!last) co_return Result<void>();
  // What others leave meanwhile is not waited for.
  while (true) {
    auto operation = [last = *last](MessageStore& store, HeldWrites) {
      return store.erase_unused_up_to(last);
    };
    const auto more = co_await ask<Result<bool>>(std::move(operation));
    // The index has nothing of it any more; the bytes are erased when the disk takes it.
    if (!more || !*more) co_return Result<void>();
  }
}

Task<void> SqliteLog::flush() {
  auto operation = [](MessageStore&, HeldWrites) { return true; };
  const bool settled = co_await ask<bool>(std::move(operation), true);
  static_cast<void>(settled);
}

Task<Result<void>> SqliteLog::take_over() {
  auto operation = [](MessageStore& store, HeldWrites) { return store.take_over(); };
  co_return co_await ask<Result<void>>(std::move(operation));
}

Task<Result<void>> SqliteLog::set_page_limit(std::int64_t pages) {
  auto operation = [this, pages](MessageStore& store, HeldWrites) {
    writer_.retry_soon();
    return store.set_page_limit(pages);
  };
  co_return co_await ask<Result<void>>(std::move(operation));
}

LogStatus SqliteLog::status() const {
  LogStatus status = writer_.status();
  const std::string failure = journal_ ? journal_->failure() : std::string();
  if (status.writable && !failure.empty()) {
    status.writable = false;
    status.last_error = failure;
  }
  return status;
}

}  // namespace relay::storage
