// What time does to a session: permission requests that nobody answers, turns that take too long,
// idleness.
#include "session/session.hpp"

namespace relay {
namespace {

// For an agent to end a turn that took too long, in units of agent.stop_grace; then it is ended.
constexpr int kGraceAfterTimeLimit = 5;

Error ignores_cancellation(std::int64_t limit) {
  return make_error(ErrorType::kAgentProtocolError,
                    "the turn took longer than sessions.prompt_timeout, and the agent went on with "
                    "it after it was cancelled")
      .because("the agent hangs, or does not know session/cancel")
      .suggest("send another prompt: it starts another agent where sessions can be loaded")
      .suggest(
          "raise sessions.prompt_timeout, or agent.stop_grace for an agent that is slow to stop")
      .with("limit_ms", limit);
}

}  // namespace

void Session::advance_clock() {
  read_at_ = std::chrono::steady_clock::now();
  router_->at({read_at_, wall_now()});
}

Effects& Session::fresh_effects() {
  advance_clock();
  effects_.clear();
  return effects_;
}

// One timer for what is due next: a permission request that nobody answers, a turn that takes too
// long.
void Session::arm_deadline() {
  auto next = router_->next_deadline();
  // A turn that waited may have followed at once: it has its own time.
  if (const auto turn = router_->turn_started(); turn != limited_turn_) {
    limited_turn_ = turn;
    time_limit_ = TimeLimit::kNotReached;
  }
  if (const auto limit = time_limit_at(); limit && (!next || *limit < *next)) next = limit;
  if (next == armed_for_) return;
  armed_for_ = next;
  deadline_.cancel();
  if (!next) return;
  deadline_.expires_at(*next);
  deadline_.async_wait([weak = weak_from_this()](boost::system::error_code failure) {
    const auto self = weak.lock();
    if (!failure && self) self->on_deadline();
  });
}

void Session::on_deadline() {
  armed_for_.reset();
  if (state_ == SessionState::kClosed || !router_) return;
  Effects& effects = fresh_effects();
  router_->tick(effects);
  if (const auto limit = time_limit_at(); limit && std::chrono::steady_clock::now() >= *limit) {
    enforce_time_limit(effects);
  }
  perform(effects);
}

std::optional<std::chrono::steady_clock::time_point> Session::time_limit_at() const {
  const SessionOptions& options = context_.options;
  const auto turn = router_->turn_started();
  if (!turn || options.prompt_timeout.count() == 0 || time_limit_ == TimeLimit::kAgentEnded) {
    return std::nullopt;
  }
  const bool is_cancelled = time_limit_ == TimeLimit::kCancelled;
  return *turn + options.prompt_timeout +
         (is_cancelled ? kGraceAfterTimeLimit * options.cancel_grace
                       : std::chrono::milliseconds(0));
}

void Session::enforce_time_limit(Effects& effects) {
  const std::int64_t limit = context_.options.prompt_timeout.count();
  if (time_limit_ == TimeLimit::kNotReached) {
    time_limit_ = TimeLimit::kCancelled;
    turn_log().info("turn takes longer than sessions.prompt_timeout, cancelling it",
                    {{"limit_ms", limit}});
    router_->cancel_because("prompt_timeout", MessageRouter::Cancelled::kTurn, effects);
    return;
  }
  time_limit_ = TimeLimit::kAgentEnded;
  if (agent_failure_) return;
  agent_failure_ = ignores_cancellation(limit);
  scope_.spawn("end agent", [this] { return end_failed_agent(); });
}

void Session::update_idle() {
  const bool busy = !watchers_.empty() || router_->turn_running() || state_ != SessionState::kReady;
  if (busy) {
    idle_since_.reset();
  } else if (!idle_since_) {
    idle_since_ = std::chrono::steady_clock::now();
  }
}

std::optional<std::chrono::steady_clock::time_point> Session::idle_since() const {
  return state_ == SessionState::kReady ? idle_since_ : std::nullopt;
}

}  // namespace relay
