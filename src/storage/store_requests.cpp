// Searching a session for requests: those of its clients by their ids, and those that wait.
#include "storage/held_sessions.hpp"
#include "storage/store_statements.hpp"

#include <algorithm>

namespace relay::storage {
namespace {

// A step is a few milliseconds, whatever the runs are like.
constexpr int kMaxRunsOfSearch = 1'000;
constexpr std::size_t kMaxRequestBytes = 256 << 10;

void strike(std::set<std::string>& missing, std::string_view requests, Sequence first) {
  while (!requests.empty()) {
    const RequestMark mark = next_request(requests);
    if (mark.sequence >= first) missing.erase(std::string(mark.id));
  }
}

}  // namespace

Result<RequestSearch> MessageStore::search_requests(RequestSearch search, HeldWrites held) {
  const auto number = number_of(search.session.value());
  if (!number) return number.error();
  const HeldSession belongs(search.session, *number, held, reopened_);
  for (const auto& entry : held) {
    const auto* write = std::get_if<MessagesWrite>(&entry.write);
    if (write == nullptr || write->summary.requests.empty()) continue;
    if (belongs(write->session)) strike(search.missing, write->summary.requests, 0);
  }
  if (!*number) {
    search.done = true;
    return search;
  }
  Statement& runs = statements_->runs_before;
  const ResetAtExit reset_runs(runs);
  runs.bind(1, **number).bind(2, search.before);
  Step step = Step::kDone;
  int left = kMaxRunsOfSearch;
  std::size_t bytes = 0;
  while (left > 0 && bytes < kMaxRequestBytes && !search.missing.empty() &&
         (step = runs.step()) == Step::kRow) {
    search.before = runs.column_number(0);
    const std::string_view requests = runs.column_view(1);
    strike(search.missing, requests, search.before);
    bytes += requests.size();
    --left;
  }
  if (step == Step::kFailed) return failure("cannot search for requests");
  search.done = step == Step::kDone;
  return search;
}

Result<OpenCalls> MessageStore::open_calls(const SessionId& session) {
  OpenCalls calls;
  const auto number = number_of(session.value());
  if (!number) return number.error();
  if (!*number) return calls;
  const auto record = find(session, {});
  if (!record) return record.error();
  struct Call {
    Sequence request, answer;
  };
  std::vector<Call> found;
  const auto collect = [&found](Statement& rows, bool answered) {
    const ResetAtExit reset(rows);
    Step step = Step::kDone;
    while ((step = rows.step()) == Step::kRow) {
      found.push_back({rows.column_number(0), answered ? rows.column_number(1) : 0});
    }
    return step == Step::kDone;
  };
  const Sequence input = *record ? (*record)->progress.input : 0;
  statements_->open_calls.bind(1, **number);
  statements_->unsent_answers.bind(1, **number).bind(2, input);
  if (!collect(statements_->open_calls, false) || !collect(statements_->unsent_answers, true)) {
    return failure("cannot read what waits for an answer");
  }
  // A message that is not there any more waits for nothing.
  for (const Call& call : found) {
    auto request = message_at(**number, call.request);
    if (!request) return std::move(request.error());
    if (!*request) continue;
    if (call.answer == 0) {
      calls.requests.push_back(std::move(**request));
      continue;
    }
    auto answer = message_at(**number, call.answer);
    if (!answer) return std::move(answer.error());
    if (!*answer) continue;
    (*answer)->peer_id = (*request)->peer_id;
    calls.unsent_answers.push_back(std::move(**answer));
  }
  return calls;
}

}  // namespace relay::storage
