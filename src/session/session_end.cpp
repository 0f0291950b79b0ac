// How a session ends: asked to, by itself, or with the relay; and what its clients are told then.
#include "protocol/acp.hpp"
#include "session/agent_event.hpp"
#include "session/agent_failure.hpp"
#include "session/replay_view.hpp"
#include "session/session.hpp"

#include <algorithm>
#include <utility>

namespace relay {

// An agent that has ended is noticed by its reader. One that lives on and reads nothing any more
// can answer nobody: it is ended, and what waits is told why.
Task<void> Session::end_deaf_agent(Error why) {
  constexpr std::chrono::milliseconds kEndFollows(500);
  const bool slept = co_await sleep_for(kEndFollows);
  if (!slept || state_ != SessionState::kReady || agent_failure_) co_return;
  agent_failure_ = std::move(why);
  co_await end_failed_agent();
}

Task<void> Session::end_failed_agent() {
  turn_log().warn("the agent is ended", {{"reason", agent_failure_->explanation}});
  co_await agent_->stop(context_.options.stop_grace);
}

void Session::close(Error why, std::string cause) {
  const bool was_given_up = std::exchange(given_up_, true);
  // It ended by itself, but is to stay closed now.
  if (state_ == SessionState::kClosed && !was_given_up) record_.cause = cause + ": " + close_cause_;
  if (state_ == SessionState::kClosing || state_ == SessionState::kClosed) return;
  const bool starting = state_ == SessionState::kStarting;
  state_ = SessionState::kClosing;
  close_cause_ = std::move(cause);
  record_.cause = close_cause_;
  close_error_ = starting ? std::move(why).with("cause", close_cause_) : std::move(why);
  if (starting) return start_aborted_.happen();  // start() undoes what it did
  // From here on it is given up, whatever happens to the relay meanwhile.
  context_.log.session_closed(record_.id, close_cause_, wall_now());
  if (router_->turn_running()) {
    Effects& effects = fresh_effects();
    router_->cancel_because(close_cause_, MessageRouter::Cancelled::kAll, effects);
    perform(effects);
  }
  scope_.spawn("stop agent", [this] { return stop_agent(); });
}

// A turn that was cancelled gets its chance to end properly: the agent's last words are still
// routed.
Task<void> Session::stop_agent() {
  const auto patience = std::chrono::steady_clock::now() + context_.options.cancel_grace;
  while (router_->turn_running() && std::chrono::steady_clock::now() < patience) {
    const bool slept = co_await sleep_for(kSessionLook);
    if (!slept) co_return;
  }
  co_await agent_->stop(context_.options.stop_grace);
}

void Session::abandon() {
  if (left_) return;
  if (agent_) agent_->kill();
  if (router_ && state_ != SessionState::kClosed) {
    const char* const cause =
        is_ending() ? "agent_exited: the relay ended before it knew how" : "relay_shutdown";
    context_.log.session_closed(record_.id, cause, wall_now());
  }
}

Task<void> Session::finish(AgentExit exit) {
  const bool asked_to = state_ == SessionState::kClosing;
  if (!asked_to) {
    close_error_ = agent_failure_
                       ? *agent_failure_
                       : agent_exited(exit, router_->turn_running() ? "a turn" : "idle time");
    close_cause_ = std::string(to_string(close_error_.type)) + ": " +
                   (agent_failure_ ? agent_failure_->explanation : describe_exit(exit));
    // Whoever waits for an answer gets it as one, which is counted there.
    if (!router_->turn_running()) {
      context_.metrics.count_error(close_error_, record_.id.value());
    }
    context_.metrics.recent.note(end_of_agent(record_, exit, close_error_));
  }
  state_ = SessionState::kClosed;
  record_.cause = close_cause_;
  ++context_.metrics.agent_exits[label_of(isolation())][exit_cause(exit, asked_to)];
  ++context_.metrics.sessions_closed[metrics::close_cause(close_cause_)];
  turn_log().info("session closed", {{"cause", close_cause_}, {"agent_exit", describe_exit(exit)}});

  Effects& effects = fresh_effects();
  router_->agent_ended(close_error_, effects);
  announce(acp::kSessionClosed, close_error_, close_cause_, effects);
  Delivery closed = effects.to_clients.back().delivery;
  perform(effects);
  deadline_.cancel();
  const bool is_safe = co_await end_delivery();
  if (!is_safe) {  // who catches up now would not see what was told without a number
    closed.sequence = 0;
    for (Watcher& one : watchers_) ++one.replays;
  }
  co_await end_replays(std::move(closed));
  for (const Watcher& one : watchers_) {
    if (one.closes) one.outbox->close();
  }
  watchers_.clear();
  record_.last_sequence = router_->last_sequence();
  record_.closed_at = wall_now();
}

// With durable_first. False: the log takes nothing any more. Then clients are told what they wait
// for, and that the session is closed: without numbers, which the next run may give to other
// messages.
Task<bool> Session::end_delivery() {
  const auto patience = std::chrono::steady_clock::now() + context_.options.cancel_grace;
  while (!undelivered_.empty() &&
         (context_.log.status().writable || std::chrono::steady_clock::now() < patience)) {
    const bool slept = co_await sleep_for(kSessionLook);
    if (!slept) break;
  }
  std::vector<ToClients> left = std::exchange(undelivered_, {});
  for (ToClients& message : left) {
    const bool is_last = &message == &left.back();
    if (!is_last && message.delivery.kind != DeliveryKind::kResponse) continue;
    message.delivery.sequence = 0;
    deliver(message);
  }
  if (someone_overflowed_) drop_overflowed();
  co_return left.empty();
}

// Who catches up has some time to read the log to its end. Then it is told what it is not given,
// and has its answers: they are due even to who has not caught up.
Task<void> Session::end_replays(Delivery closed) {
  const auto patience = std::chrono::steady_clock::now() + context_.options.cancel_grace;
  while (!std::ranges::all_of(watchers_, &Watcher::live) &&
         std::chrono::steady_clock::now() < patience) {
    const bool slept = co_await sleep_for(kSessionLook);
    if (!slept) break;
  }
  for (Watcher& one : watchers_) {
    if (one.live) continue;
    const storage::Gap missed{one.cursor + 1, last_sequence() - 1};
    if (missed.from <= missed.to) {
      const storage::Sequence number = closed.sequence == 0 ? 0 : missed.to;
      deliver(one, {gap_notice(record_.id, missed), number, DeliveryKind::kNotification});
    }
    release_held(one, Attachment::kAfterReplay);
    if (one.cursor < last_sequence()) deliver(one, closed);
  }
}

}  // namespace relay
