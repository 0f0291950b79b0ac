// The way out of service: no new sessions, then the end; and the way to other settings.
#include "management/answer.hpp"
#include "management/management_api.hpp"
#include "management/routes.hpp"
#include "management/views.hpp"
#include "protocol/json_text.hpp"

#include <unistd.h>

namespace relay::management {
namespace {

Error turns_run(const DrainFacts& facts) {
  return make_error(ErrorType::kTurnInProgress, "turns are under way: the relay goes on")
      .suggest("ask again when GET /api/drain says that it is quiet")
      .suggest("leave ifQuiet out to stop it whatever runs")
      .with("turns", static_cast<std::int64_t>(facts.turns))
      .with("starting", static_cast<std::int64_t>(facts.starting))
      .retryable();
}

}  // namespace

DrainFacts ManagementApi::drain_facts() const {
  DrainFacts facts;
  facts.since = draining_since_;
  facts.shutdown_timeout = context_.shutdown_timeout;
  facts.pid = ::getpid();
  for (const auto& session : context_.sessions.all()) {
    if (session->state() == SessionState::kClosed) continue;
    ++facts.sessions;
    const bool restarts = context_.sessions.is_restarting(session->id());
    if (session->state() == SessionState::kStarting || restarts) ++facts.starting;
    if (session->turn_running()) ++facts.turns;
    facts.queued_prompts += session->queued_prompts();
    facts.permission_waits += session->permission_waits();
    const bool is_left = *context_.leaves_sessions && session->outlives_relay() &&
                         session->state() == SessionState::kReady;
    if (!is_left) facts.ending.push_back(session->id().value());
  }
  // A prompt waits for each of them.
  const std::size_t restarting = context_.sessions.restarting();
  facts.sessions += restarting;
  facts.starting += restarting;
  return facts;
}

http::Response ManagementApi::drain(const std::string& method, const http::Principal& principal) {
  if (method == "POST" && !draining_since_) {
    draining_since_ = wall_now();
    context_.sessions.drain();
    context_.logger.info("draining: no new sessions are made", {{"principal", principal.name}});
  } else if (method == "DELETE" && draining_since_) {
    draining_since_.reset();
    context_.sessions.end_drain();
    context_.logger.info("draining has ended: sessions are made again",
                         {{"principal", principal.name}});
  }
  return answer(200, drain_view(drain_facts()));
}

http::Response ManagementApi::stop(const std::vector<std::pair<std::string, std::string>>& query,
                                   const http::Principal& principal) {
  const auto if_quiet = read_stop_query(query);
  if (!if_quiet) return refusal(if_quiet.error());
  const DrainFacts facts = drain_facts();
  if (*if_quiet && !is_quiet(facts)) return conflict(turns_run(facts));
  context_.logger.info("told to stop over the management API", {{"principal", principal.name}});
  if (context_.stop) context_.stop();
  return answer(200, drain_view(facts));
}

Task<http::Response> ManagementApi::reload(http::Principal principal) {
  context_.logger.info("told to reload over the management API", {{"principal", principal.name}});
  const ReloadOutcome outcome = co_await context_.reload();
  co_return answer(200, JsonObject()
                            .boolean("reloaded", outcome.problems.empty())
                            .raw("changed", text_list(outcome.changed))
                            .raw("needsRestart", text_list(outcome.need_restart))
                            .raw("warnings", text_list(outcome.warnings))
                            .raw("problems", text_list(outcome.problems))
                            .take());
}

}  // namespace relay::management
