// Searching a session for requests: those of its clients by their ids, and those that wait.
#include "storage/held_sessions.hpp"
#include "storage/store_statements.hpp"

#include <algorithm>

namespace relay::storage {
namespace {

// A step is a few milliseconds, whatever the runs are like.
constexpr std::int64_t kMaxRowsOfSearch = 4'000;
// Finding a run costs about as much as looking at so many of its messages.
constexpr std::int64_t kRowsARun = 8;

bool is_client_request(const MessageRecord& message) {
  return message.origin == Origin::kClient && message.kind == MessageKind::kRequest;
}

}  // namespace

Result<RequestSearch> MessageStore::search_requests(RequestSearch search, HeldWrites held) {
  const auto number = number_of(search.session.value());
  const HeldSession belongs(search.session, number, held, reopened_);
  for (const auto& entry : held) {
    const auto* write = std::get_if<MessageWrite>(&entry.write);
    if (write == nullptr || !is_client_request(write->message)) continue;
    if (belongs(write->session)) search.missing.erase(write->message.rpc_id);
  }
  if (!number) {
    search.done = true;
    return search;
  }
  Statement& runs = statements_->runs_before;
  const ResetAtExit reset_runs(runs);
  runs.bind(1, *number).bind(2, search.before);
  Step step = Step::kDone;
  std::int64_t rows = kMaxRowsOfSearch;
  while (rows > 0 && !search.missing.empty() && (step = runs.step()) == Step::kRow) {
    const Sequence first = runs.column_number(0);
    const Sequence last = std::min(runs.column_number(1), search.before - 1);
    const std::int64_t count = std::min(last - first + 1, rows);
    // The messages of a run lie side by side.
    const std::int64_t end = runs.column_number(2) + last - first;
    Statement& requests = statements_->requests_at;
    const ResetAtExit reset_requests(requests);
    requests.bind(1, end - count + 1)
        .bind(2, end)
        .bind(3, static_cast<std::int64_t>(Origin::kClient))
        .bind(4, static_cast<std::int64_t>(MessageKind::kRequest));
    Step inner = Step::kDone;
    while ((inner = requests.step()) == Step::kRow) {
      search.missing.erase(requests.column_text(0));
    }
    if (inner == Step::kFailed) return failure("cannot search for requests");
    search.before = last - count + 1;
    rows -= count + kRowsARun;
  }
  if (step == Step::kFailed) return failure("cannot search for requests");
  search.done = rows > 0;
  return search;
}

Result<OpenCalls> MessageStore::open_calls(const SessionId& session) {
  OpenCalls calls;
  const auto number = number_of(session.value());
  if (!number) return calls;
  const auto read = [](Statement& rows, std::vector<MessageRecord>& into) {
    const ResetAtExit reset(rows);
    Step step = Step::kDone;
    while ((step = rows.step()) == Step::kRow) into.push_back(message_of(rows));
    return step == Step::kDone;
  };
  const auto record = find(session, {});
  if (!record) return record.error();
  const Sequence input = *record ? (*record)->progress.input : 0;
  statements_->open_calls.bind(1, *number);
  statements_->unsent_answers.bind(1, *number).bind(2, input);
  if (!read(statements_->open_calls, calls.requests) ||
      !read(statements_->unsent_answers, calls.unsent_answers)) {
    return failure("cannot read what waits for an answer");
  }
  return calls;
}

}  // namespace relay::storage
