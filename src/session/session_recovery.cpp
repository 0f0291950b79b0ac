// A session whose agent outlives the relay: leaving it, and going on with it.
#include "protocol/acp.hpp"
#include "session/end_cause.hpp"
#include "session/session.hpp"

#include <limits>

namespace relay {
namespace {

Error relay_restarted() {
  return make_error(ErrorType::kRelayRestarted, "the relay was restarted before the agent had this")
      .because("it ended, or was ended, between taking the request and passing it on")
      .suggest("send it again")
      .retryable();
}

}  // namespace

Task<Result<void>> Session::recover(std::optional<Error> refusal) {
  auto calls = co_await context_.log.open_calls(record_.id);
  for (int failures = 0; !calls && failures < kMostLogFailures; ++failures) {
    const bool slept = co_await sleep_for(kBetweenLogFailures);
    if (!slept) break;
    auto again = co_await context_.log.open_calls(record_.id);
    calls = std::move(again);
  }
  Result<Reattachment> reattached = tl::unexpected(refusal.value_or(Error()));
  if (!refusal) {
    auto taken_up = co_await context_.backend.reattach(record_.id, record_.progress.output);
    reattached = std::move(taken_up);
  }
  router_.emplace(record_.id, record_.agent_session_id, context_.options.router,
                  context_.request_ids, record_.last_sequence);
  if (!reattached) {
    close_unrecovered(calls ? std::move(*calls) : storage::OpenCalls(),
                      std::move(reattached.error()));
    co_return close_error_;
  }
  if (!calls) {
    const Error failure = calls.error();
    co_await reattached->agent->stop(context_.options.stop_grace);
    close_unrecovered({}, failure);
    co_return close_error_;
  }
  agent_ = std::move(reattached->agent);
  new_result_ = record_.agent_settings;
  agent_state_ = AgentState(record_.id.value(), new_result_);
  for (const std::string& child : agent_state_.children()) router_->restore_child(child);
  inbox_end_ = {{}, record_.progress.input, record_.progress.prompt};
  Effects& effects = fresh_effects();
  if (reattached->output_lost) {
    const storage::Gap lost{router_->skip(), router_->last_sequence()};
    context_.log.gap(record_.id, lost);
    log_.warn("what the agent wrote while no relay ran can't be read any more",
              {{"sequence", lost.from}, {"key", "container.log_opts"}});
  }
  router_->restore(std::move(*calls), record_.progress, relay_restarted(), effects);
  if (reattached->output_lost) router_->output_lost();
  state_ = SessionState::kReady;
  perform(effects);
  log_.info("session of an earlier run goes on", {{"agent", agent_->description()},
                                                  {"sequence", last_sequence()},
                                                  {"turn", router_->turn_running()}});
  co_return Result<void>();
}

// There is no agent to go on with: what waits for it is answered in the log.
void Session::close_unrecovered(storage::OpenCalls calls, Error why) {
  state_ = SessionState::kClosed;
  close_error_ = context_.redactor->redacted(std::move(why));
  close_cause_ = std::string(to_string(close_error_.type)) + ": " + close_error_.explanation;
  // Whatever the Engine refuses, nobody has given the session up.
  if (!ended_by_itself(close_cause_)) close_cause_.insert(0, "relay_restarted: ");
  record_.cause = close_cause_;
  constexpr auto kAll = std::numeric_limits<std::int64_t>::max();
  Effects& effects = fresh_effects();
  router_->restore(std::move(calls), {{}, kAll, kAll}, close_error_, effects);
  router_->agent_ended(close_error_, effects);
  announce(acp::kSessionClosed, close_error_, close_cause_, effects);
  effects.to_agent.clear();
  perform(effects);
  deadline_.cancel();
  record_.last_sequence = router_->last_sequence();
  record_.closed_at = wall_now();
  context_.log.session_closed(record_.id, close_cause_, *record_.closed_at);
  ++context_.metrics.sessions_closed[metrics::close_cause(close_cause_)];
  log_.warn("session of an earlier run is closed", {{"cause", close_cause_}});
  closed_.happen();
}

Task<bool> Session::leave() {
  const auto self = shared_from_this();
  const auto has_agent = [this] { return state_ == SessionState::kReady && !agent_ended_; };
  if (!has_agent() || !outlives_relay()) co_return false;
  // What clients have said goes to the agent first; one that does not read must do without.
  const auto patience = std::chrono::steady_clock::now() + context_.options.cancel_grace;
  while (inbox_bytes_ > 0 && std::chrono::steady_clock::now() < patience) {
    const bool slept = co_await sleep_for(std::chrono::milliseconds(5));
    if (!slept || !has_agent()) co_return false;
  }
  if (!agent_->leave()) co_return false;
  save_progress();
  left_ = true;
  state_ = SessionState::kClosing;
  close_cause_ = "relay_shutdown";
  close_error_ = make_error(ErrorType::kShuttingDown, "the relay is shutting down")
                     .suggest("come back when it runs again: the session goes on")
                     .retryable();
  log_.info("session is left to the next run", {{"agent", agent_->description()}});
  co_return true;
}

// run() of a session that was left: everything but the agent ends.
Task<void> Session::end_left() {
  deadline_.cancel();
  for (Watcher& one : watchers_) {
    if (one.closes) one.outbox->close();
  }
  watchers_.clear();
  state_ = SessionState::kClosed;
  scope_.cancel();
  co_await scope_.join();
  agent_.reset();
  closed_.happen();
}

}  // namespace relay
