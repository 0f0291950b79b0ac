// SessionDirectory giving a session another agent when the first one ended by itself.
#include "base/as_result.hpp"
#include "base/finally.hpp"
#include "protocol/json_text.hpp"
#include "session/end_cause.hpp"
#include "session/session_directory.hpp"
#include "session/trace_log.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <utility>

namespace relay {
namespace {

// An agent that ends again and again is not started again and again.
constexpr unsigned kMaxRestarts = 5;
constexpr std::chrono::seconds kForgotten(300);

constexpr std::string_view kRequestId = R"("acp-relay/restart")";

std::chrono::milliseconds pause_before(unsigned restarts, std::chrono::milliseconds first) {
  return restarts == 0 ? std::chrono::milliseconds(0) : first * (1u << (restarts - 1));
}

NewSession restart_request(const storage::SessionRecord& closed, const std::string& trace) {
  NewSession request;
  if (!trace.empty()) request.session_params = R"({"_meta":{)" + trace + "}}";
  request.working_directory = closed.working_directory;
  request.is_restart = true;
  request.method = "session/load";
  request.request_id = kRequestId;
  request.stored_request =
      SharedBytes(JsonObject()
                      .text("jsonrpc", "2.0")
                      .raw("id", kRequestId)
                      .text("method", request.method)
                      .raw("params", JsonObject().text("sessionId", closed.id.value()).take())
                      .take());
  return request;
}

}  // namespace

Error stays_closed(const storage::SessionRecord& record, std::string_view because) {
  Error error = make_error(ErrorType::kSessionClosed, "the session is closed: " + record.cause)
                    .suggest(
                        "make it go on with session/load (at /acp), read it with "
                        "session/history, or make another with session/new")
                    .with("session_id", record.id.value())
                    .with("cause", record.cause);
  if (!because.empty()) error.possible_causes.emplace_back(because);
  return error;
}

// What the one who asked for another agent, and those who came meanwhile, share.
struct SessionDirectory::Restarting {
  explicit Restarting(asio::any_io_executor executor)
      : given_up(executor), done(std::move(executor)) {}

  std::optional<Error> failure;
  Event given_up;  // nobody wants it any more, as `failure` says
  Event done;
};

bool SessionDirectory::is_restarting(const SessionId& session) const {
  return restarting_.contains(session);
}

std::size_t SessionDirectory::restarting() const {
  const auto is_closed = [this](const auto& entry) {
    const auto session = find(entry.first);
    return !session || session->state() == SessionState::kClosed;
  };
  return static_cast<std::size_t>(std::ranges::count_if(restarting_, is_closed));
}

Task<void> SessionDirectory::restarted(SessionId session) {
  while (is_restarting(session)) {
    const auto ahead = restarting_[session];
    co_await ahead->done.wait();
    if (!ahead->done.happened()) co_return;
  }
}

void SessionDirectory::end_restart(const SessionId& session, const Error& why) {
  const auto found = restarting_.find(session);
  if (found == restarting_.end()) return;
  found->second->failure = why;
  found->second->given_up.happen();
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::restart(storage::SessionRecord closed,
                                                                 std::string trace) {
  if (is_left(closed)) co_return shutting_down();
  if (!ended_by_itself(closed.cause)) co_return stays_closed(closed, {});
  if (!options_.restart_agent) co_return stays_closed(closed, "sessions.restart_agent is false");
  if (!can_go_on(closed.agent_profile)) {
    co_return stays_closed(closed, "the agent can't load a session, another would know nothing");
  }
  while (is_restarting(closed.id)) {
    const auto ahead = restarting_[closed.id];
    co_await ahead->done.wait();
    if (ahead->failure) co_return *ahead->failure;
    if (!ahead->done.happened()) co_return stays_closed(closed, "the client left");
    auto session = find(closed.id);
    if (session && session->state() == SessionState::kReady) co_return session;
    // Who was ahead has left: the next one does it.
  }
  const auto restarting = std::make_shared<Restarting>(context_.executor);
  restarting_[closed.id] = restarting;
  const Finally end([this, id = closed.id, restarting] {
    restarting_.erase(id);
    restarting->done.happen();
  });
  using namespace asio::experimental::awaitable_operators;
  auto starting = as_result(restart_now(std::move(closed), std::move(trace)));
  auto giving_up = restarting->given_up.wait();
  auto first = co_await (std::move(starting) || std::move(giving_up));
  if (restarting->failure) co_return *restarting->failure;
  if (first.index() == 1) co_return shutting_down();  // who asked has left
  auto session = std::get<0>(std::move(first));
  const bool has_left = !session && session.error().type == ErrorType::kShuttingDown;
  if (!session && !has_left) restarting->failure = session.error();
  co_return session;
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::restart_now(storage::SessionRecord closed,
                                                                     std::string trace) {
  NewSession request = restart_request(closed, trace);
  const auto there = find(closed.id);
  const bool is_ready = there && there->state() == SessionState::kReady;
  if (starting_.contains(closed.id) || is_ready) {  // for somebody who loads it
    auto session = co_await reopen(closed.id, std::move(request));
    co_return session;
  }
  if (there) {
    co_await there->wait_closed();
    if (!ended_by_itself(there->record().cause)) co_return stays_closed(there->record(), {});
  }
  if (auto refused = makes_none()) co_return *refused;
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(restarts_,
                [now](const auto& entry) { return now - entry.second.last > kForgotten; });
  const unsigned count = restarts_[closed.id].count;
  if (count >= kMaxRestarts) {
    co_return stays_closed(closed,
                           "its agent ended " + std::to_string(count) + " times within minutes");
  }
  const bool slept = co_await sleep_for(pause_before(count, options_.restart_pause));
  if (!slept) co_return shutting_down();
  restarts_[closed.id] = {count + 1, std::chrono::steady_clock::now()};
  traced(context_.logger, trace_of_params(request.session_params))
      .info("starts another agent for the session",
            {{"session", closed.id.value()}, {"cause", closed.cause}});
  auto session = co_await reopen(closed.id, std::move(request));
  co_return session;
}

}  // namespace relay
