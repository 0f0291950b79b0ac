#include "storage/cursor.hpp"
#include "storage/held_sessions.hpp"
#include "storage/store_statements.hpp"

#include <algorithm>
#include <limits>

namespace relay::storage {
namespace {

constexpr std::size_t kMaxHistoryRows = 10'000;
constexpr std::size_t kMaxListRows = 1'000;
constexpr std::size_t kMaxListBytes = 8u << 20;

// Approximately, in a page of a list.
std::size_t listed_bytes(const SessionRecord& session) {
  return sizeof(session) + session.id.value().size() + session.agent_session_id.size() +
         session.owner.size() + session.working_directory.size() + session.isolation.size() +
         session.title.size() + session.agent.size() + session.image.size() +
         session.image_id.size() + session.upstream_use.size() + session.cause.size();
}

void bind_filter(Statement& statement, int parameter, const std::optional<std::string>& value) {
  if (value) {
    statement.bind(parameter, *value);
  } else {
    statement.bind_null(parameter);
  }
}

// Fills a page up to its bounds.
class PageFiller {
 public:
  PageFiller(HistoryPage& page, std::size_t limit, std::size_t max_bytes)
      : page_(page),
        limit_(std::clamp<std::size_t>(limit, 1, kMaxHistoryRows)),
        bytes_(max_bytes) {}

  // False: the page is full and this message stays out of it.
  bool add(MessageRecord message) {
    const std::size_t size = message.body.size();
    const bool first = page_.messages.empty();
    if (!first && (page_.messages.size() == limit_ || size > bytes_)) {
      page_.complete = false;
      return false;
    }
    bytes_ -= std::min(bytes_, size);
    page_.messages.push_back(std::move(message));
    return true;
  }

 private:
  HistoryPage& page_;
  std::size_t limit_;
  std::size_t bytes_;
};

}  // namespace

Result<HistoryPage> MessageStore::history(const SessionId& session, Sequence after,
                                          std::size_t limit, std::size_t max_bytes,
                                          HeldWrites held) {
  HistoryPage page;
  PageFiller filler(page, limit, max_bytes);
  std::vector<Gap> gaps;
  after = std::clamp<Sequence>(after, 0, std::numeric_limits<Sequence>::max() - 1);
  const auto fill = [&filler](MessageRecord message) { return filler.add(std::move(message)); };
  const auto number = number_of(session.value());
  if (!number) return number.error();
  if (*number) {
    Statement& runs = statements_->runs_from;
    const ResetAtExit reset_runs(runs);
    runs.bind(1, **number).bind(2, after + 1);
    Step step = Step::kDone;
    while (page.complete && (step = runs.step()) == Step::kRow) {
      const RunMessages messages = messages_of(runs, after + 1);
      const auto is_read = read(messages, gaps, fill);
      if (!is_read) return is_read.error();
    }
    if (step == Step::kFailed) return failure("cannot read messages");

    Statement& rows = statements_->gaps_of_session;
    const ResetAtExit reset_gaps(rows);
    rows.bind(1, **number);
    while ((step = rows.step()) == Step::kRow) {
      add_gap(gaps, {rows.column_number(0), rows.column_number(1)});
    }
    if (step == Step::kFailed) return failure("cannot read gaps");
  }
  const HeldSession belongs(session, *number, held, reopened_);
  for (const auto& entry : held) {
    if (const auto* gap = std::get_if<GapWrite>(&entry.write)) {
      if (belongs(gap->session)) add_gap(gaps, gap->gap);
    }
    const auto* write = std::get_if<MessagesWrite>(&entry.write);
    if (write == nullptr || !page.complete || write->summary.last <= after) continue;
    if (!belongs(write->session)) continue;
    const auto is_read = read(messages_of(*write, after + 1), gaps, fill);
    if (!is_read) return is_read.error();
  }
  const Sequence end =
      page.complete ? std::numeric_limits<Sequence>::max() : page.messages.back().sequence;
  page.gaps = clip_gaps(gaps, after + 1, end);
  return page;
}

Result<std::optional<SessionRecord>> MessageStore::find(const SessionId& session, HeldWrites held) {
  std::optional<SessionRecord> record;
  {
    Statement& statement = statements_->find_session;
    const ResetAtExit reset(statement);
    const Step step = statement.bind(1, session.value()).step();
    if (step == Step::kFailed) return failure("cannot read the session");
    if (step == Step::kRow) record = session_of(statement);
  }
  if (held.empty()) return record;
  const HeldSessions changes(held);
  if (record) {
    changes.apply(*record);
  } else {
    record = changes.created(session);
  }
  if (!record) return record;
  const auto number = number_of(session.value());
  if (!number) return number.error();
  const HeldSession belongs(session, *number, held, reopened_);
  for (const auto& entry : held) {
    const auto* gap = std::get_if<GapWrite>(&entry.write);
    if (gap != nullptr && belongs(gap->session)) {
      record->last_sequence = std::max(record->last_sequence, gap->gap.to);
    }
    const auto* write = std::get_if<MessagesWrite>(&entry.write);
    if (write == nullptr || !belongs(write->session)) continue;
    record->last_sequence = std::max(record->last_sequence, write->summary.last);
    record->updated_at = std::max(record->updated_at, write->summary.newest);
  }
  return record;
}

Result<SessionPage> MessageStore::list(const SessionQuery& query, HeldWrites held) {
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (!query.cursor.empty()) {
    const auto number = decode_cursor(query.cursor);
    if (!number) {
      return make_error(ErrorType::kInvalidParams, "the cursor of the list is not valid")
          .because("it was not given out by an earlier page of this list")
          .suggest("leave the cursor out to begin with the newest session");
    }
    before = *number;
  }
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kMaxListRows);
  SessionPage page;
  std::int64_t last = 0;
  std::size_t bytes = 0;
  const auto add = [&](std::int64_t number, SessionRecord record) {
    if (query.owner && record.owner != *query.owner) return true;
    if (query.only_active && record.closed_at) return true;
    if (query.agent && record.agent != *query.agent) return true;
    if (query.working_directory && record.working_directory != *query.working_directory) {
      return true;
    }
    const bool first = page.sessions.empty();
    bytes += listed_bytes(record);
    if (!first && (page.sessions.size() == limit || bytes > kMaxListBytes)) {
      page.next_cursor = encode_cursor(last);
      return false;
    }
    // What a held write says of them.
    record.agent_profile = std::string();
    record.agent_settings = std::string();
    last = number;
    page.sessions.push_back(std::move(record));
    return true;
  };

  // Held sessions come first: their numbers are higher than those of all rows.
  const HeldSessions changes(held);
  for (auto& [number, record] : changes.created_before(before)) {
    const auto stored = number_of(record.id.value());
    if (!stored) return stored.error();
    if (*stored) continue;
    if (!add(number, std::move(record))) return page;
  }
  Statement& rows = statements_->list_sessions;
  const ResetAtExit reset(rows);
  // What a held write may change is looked at in the record, not in the row.
  rows.bind(1, before).bind(3, std::int64_t{query.only_active && held.empty()});
  bind_filter(rows, 2, query.owner);
  const std::optional<std::string> any;
  bind_filter(rows, 4, held.empty() ? query.agent : any);
  bind_filter(rows, 5, held.empty() ? query.working_directory : any);
  Step step = Step::kDone;
  while ((step = rows.step()) == Step::kRow) {
    SessionRecord record = session_of(rows);
    changes.apply(record);
    if (!add(rows.column_number(0), std::move(record))) break;
  }
  if (step == Step::kFailed) return failure("cannot list sessions");
  return page;
}

}  // namespace relay::storage
