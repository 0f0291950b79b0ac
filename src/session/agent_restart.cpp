// SessionDirectory giving a session another agent when the first one ended by itself.
#include "protocol/json_text.hpp"
#include "session/session_directory.hpp"
#include "session/trace_log.hpp"

#include <algorithm>
#include <array>
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

}  // namespace

bool ended_by_itself(std::string_view cause) {
  static constexpr std::array kCauses = {"agent_exited", "container_resource_exceeded",
                                         "relay_restarted", "docker_not_available"};
  return std::ranges::any_of(kCauses,
                             [&](std::string_view begin) { return cause.starts_with(begin); });
}

Task<Result<std::shared_ptr<Session>>> SessionDirectory::restart(storage::SessionRecord closed,
                                                                 std::string trace) {
  if (!ended_by_itself(closed.cause)) co_return stays_closed(closed, {});
  if (!options_.restart_agent) co_return stays_closed(closed, "sessions.restart_agent is false");
  if (!can_go_on(closed.agent_profile)) {
    co_return stays_closed(closed, "the agent can't load a session, another would know nothing");
  }
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(restarts_,
                [now](const auto& entry) { return now - entry.second.last > kForgotten; });
  if (starting_.contains(closed.id) || find(closed.id)) {  // it is on its way already
    NewSession nothing;
    auto session = co_await reopen(closed.id, std::move(nothing));
    co_return session;
  }
  if (auto refused = makes_none()) co_return *refused;
  Restarts& restarts = restarts_[closed.id];
  if (restarts.count >= kMaxRestarts) {
    co_return stays_closed(
        closed, "its agent ended " + std::to_string(restarts.count) + " times within minutes");
  }
  const auto pause = pause_before(restarts.count, options_.restart_pause);
  ++restarts.count;
  restarts.last = now + pause;
  const bool slept = co_await sleep_for(pause);
  if (!slept) co_return stays_closed(closed, "the relay is shutting down");

  NewSession request;
  if (!trace.empty()) request.session_params = R"({"_meta":{)" + trace + "}}";
  traced(context_.logger, trace_of_params(request.session_params))
      .info("starts another agent for the session",
            {{"session", closed.id.value()}, {"cause", closed.cause}});
  request.working_directory = closed.working_directory;
  request.needs_directories = true;
  request.method = "session/load";
  request.request_id = kRequestId;
  request.stored_request =
      SharedBytes(JsonObject()
                      .text("jsonrpc", "2.0")
                      .raw("id", kRequestId)
                      .text("method", request.method)
                      .raw("params", JsonObject().text("sessionId", closed.id.value()).take())
                      .take());
  auto session = co_await reopen(closed.id, std::move(request));
  co_return session;
}

}  // namespace relay
