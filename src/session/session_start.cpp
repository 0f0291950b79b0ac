// Starting a session: launch, handshake, and undoing both when something fails.
#include "base/as_result.hpp"
#include "protocol/json_text.hpp"
#include "protocol/splice.hpp"
#include "session/agent_event.hpp"
#include "session/agent_failure.hpp"
#include "session/conversation.hpp"
#include "session/end_cause.hpp"
#include "session/fork.hpp"
#include "session/replay_view.hpp"
#include "session/session.hpp"
#include "session/trace_log.hpp"
#include "session/unfinished.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <variant>

namespace relay {

using namespace boost::asio::experimental::awaitable_operators;

namespace {

void count_launch(Metrics& metrics, const LaunchTimes& times) {
  using metrics::StartPhase;
  if (times.create) metrics.start_phases[StartPhase::kCreate].observe(*times.create);
  if (times.attach) metrics.start_phases[StartPhase::kAttach].observe(*times.attach);
  if (times.start) metrics.start_phases[StartPhase::kStart].observe(*times.start);
}

}  // namespace

Task<Result<void>> Session::start(StartRequest request) {
  const auto began = std::chrono::steady_clock::now();
  const Logger log = traced(log_, trace_of_params(request.session_params));
  auto launching = as_result(launch(request.launch));
  auto aborted = start_aborted_.wait();
  const auto launched = co_await (std::move(launching) || std::move(aborted));
  if (state_ == SessionState::kClosing || !std::get<0>(launched)) {
    const Error why =
        state_ == SessionState::kClosing ? close_error_ : std::get<0>(launched).error();
    co_await abandon_start(why, log);
    co_return close_error_;
  }
  auto shaking = as_result(shake_hands(request));
  auto shaken = co_await std::move(shaking);
  // Nobody learns of a session that the disk does not have.
  if (shaken) {
    auto writing = until_durable(context_);
    auto leaving = start_aborted_.wait();
    co_await (std::move(writing) || std::move(leaving));
    if (state_ == SessionState::kClosing) shaken = close_error_;
    told_ = last_sequence();
  }
  if (!shaken) {
    if (is_failed_start(shaken.error())) {
      const metrics::ExitCause cause = cause_of_failed_start(shaken.error());
      ++context_.metrics.agent_exits[label_of(isolation())][cause];
      if (state_ == SessionState::kStarting) {
        context_.metrics.recent.note(start_that_failed(record_, shaken.error()));
      }
    }
    co_await abandon_start(shaken.error(), log);
    co_return close_error_;
  }
  state_ = SessionState::kReady;
  update_idle();
  ++context_.metrics.sessions_created;
  const auto now = std::chrono::steady_clock::now();
  context_.metrics.session_start.observe(now - began);
  context_.metrics.recent_starts.record(true, now);
  log.info("session ready", {{"agent", agent_->description()}, {"cwd", record_.working_directory}});
  co_return Result<void>();
}

// What was launched is the session's at once: also when nobody looks at the result any more.
Task<Result<void>> Session::launch(LaunchSpec spec) {
  network_ = context_.options.network;
  upstreams_ = context_.options.upstreams;
  connect_ = context_.options.connect;
  auto launched = co_await context_.backend.launch(std::move(spec));
  if (!launched) co_return launched.error();
  agent_ = std::move(*launched);
  record_.working_directory = agent_->working_directory();
  count_launch(context_.metrics, agent_->launch_times());
  const AgentImage image = agent_->image();
  record_.image = image.name;
  record_.image_id = image.id;
  co_return Result<void>();
}

Task<Result<void>> Session::shake_hands(const StartRequest& request) {
  HandshakeOptions options;
  options.greeting = request.greeting;
  options.cwd = agent_->working_directory();
  options.session_params = request.session_params;
  options.max_early_bytes = context_.options.max_early_bytes;
  if (was_closed_) options.previous_session = record_.agent_session_id;
  if (request.fork) {
    options.previous_session = request.fork->agent_session;
    options.fork = true;
  }
  Handshake handshake(context_.request_ids, std::move(options));

  const auto limit = context_.options.startup_timeout;
  auto talk = converse(context_, *agent_, handshake, early_);
  auto clock = sleep_for(agent_->launched_at() + limit - std::chrono::steady_clock::now());
  auto aborted = start_aborted_.wait();
  const auto first = co_await (std::move(talk) || std::move(clock) || std::move(aborted));
  if (state_ == SessionState::kClosing) co_return close_error_;  // whatever came first
  if (first.index() == 1) {
    const auto starved = co_await agent_->diagnose();
    if (state_ == SessionState::kClosing) co_return close_error_;
    if (starved) co_return *starved;
    co_return agent_timed_out({handshake.phase(), limit, context_.backend.isolation(),
                               agent_->stderr_tail(), handshake.first_skipped()});
  }
  const std::optional<Error>& failure = std::get<0>(first);
  if (failure) co_return *failure;
  if (request.fork) {
    auto copying = as_result(copy_past(*request.fork));
    auto leaving = start_aborted_.wait();
    const auto copied = co_await (std::move(copying) || std::move(leaving));
    if (state_ == SessionState::kClosing) co_return close_error_;
    if (!std::get<0>(copied)) co_return std::get<0>(copied);
  }
  become_ready(handshake, request);
  co_return Result<void>();
}

// Until all is there, and the agent's id with it, the log has the session as unfinished.
Task<Result<void>> Session::copy_past(ForkPoint from) {
  record_.cause = kUnfinishedFork;
  half_in_log_ = true;
  context_.log.session_created(record_);
  forked_at_ = context_.log.instance_id().empty() ? 0 : from.until;
  from.until = forked_at_;
  auto copied = co_await copy_messages(context_, std::move(from), record_.id);
  record_.last_sequence = forked_at_;
  co_return copied;
}

void Session::become_ready(Handshake& handshake, const StartRequest& request) {
  record_.agent_session_id = handshake.agent_session();
  agent_remembers_ = handshake.remembers() || !was_closed_;
  router_.emplace(record_.id, handshake.agent_session(), context_.options.router,
                  context_.request_ids, record_.last_sequence);
  record_.agent_profile = handshake.initialize_result();
  const Frame& response = handshake.session_response();
  const std::string relay_json = json_string(record_.id.value());
  const std::string agent_json = "\"" + record_.agent_session_id + "\"";
  Edits edits;
  translate_session(response, agent_json, relay_json, edits);
  edits.push_back({response.envelope().id, request.request_id});
  const std::string translated = splice(response.bytes(), std::move(edits));
  auto parsed = Frame::parse(translated, kAccepted);
  new_result_ = parsed && parsed->result().starts_with('{') ? std::string(parsed->result()) : "{}";

  agent_state_ = AgentState(record_.id.value(), new_result_);
  record_.agent_settings = new_result_;

  if (was_closed_ || request.fork) {
    record_.closed_at.reset();
    record_.cause.clear();
    half_in_log_ = false;
    context_.log.session_reopened(record_);
  } else {
    context_.log.session_created(record_);
  }
  if (request.actor && request.fork) {
    audit(*request.actor, "forked", "from " + request.fork->session.value());
  } else if (request.actor) {
    audit(*request.actor, was_closed_ ? "reopened" : "created");
  }
  Effects effects;
  router_->at({std::chrono::steady_clock::now(), request.came});
  router_->record(storage::Origin::kClient, storage::MessageKind::kRequest, false, request.method,
                  request.request_id, request.stored_request, effects);
  advance_clock();
  for (Frame& early : handshake.take_early()) router_->from_agent(std::move(early), effects);
  router_->record(storage::Origin::kAgent, storage::MessageKind::kResponse, true, {},
                  request.request_id, SharedBytes(translated), effects);
  opened_at_ = router_->last_sequence();
  for (std::string& line : early_.lines) from_agent(std::move(line), effects);
  if (!was_closed_ && !request.fork) keep_opening(effects);
  perform(effects, early_.position);
  // Many sessions then wait for long.
  early_ = {};
}

void Session::keep_opening(const Effects& effects) {
  constexpr std::size_t kWorthKeeping = 64u << 10;
  std::size_t bytes = 0;
  for (const storage::MessageRecord& record : effects.records) {
    if (!is_replayed(record, false)) continue;
    bytes += record.body.size();
    opening_.push_back({record.body, record.sequence, delivery_kind(record)});
  }
  if (bytes > kWorthKeeping) {
    opening_ = {};
  } else {
    opening_end_ = router_->last_sequence();
  }
}

// A session that never became ready is not in the log, unless it was left while that wrote it:
// nobody has seen its id. One that was closed before stays as it was, its directories too if it had
// any. What is there of a fork goes; it is not closed first: what can't be erased is left to the
// next run.
Task<void> Session::abandon_start(Error error, Logger log) {
  if (agent_) co_await agent_->stop(context_.options.stop_grace);
  agent_.reset();
  if (router_) {
    const std::string& cause = was_closed_ ? cause_before_ : close_cause_;
    context_.log.session_closed(record_.id, cause, wall_now());
  }
  if (half_in_log_) {
    const auto erased = co_await context_.log.erase(record_.id);
    if (!erased) log.warn("a part of a fork is left", {{"error", erased.error().explanation}});
  }
  const bool was_given_up = !cause_before_.empty() && !ended_by_itself(cause_before_);
  if (!was_closed_ || was_given_up) co_await context_.backend.release(record_.id);
  state_ = SessionState::kClosed;
  if (is_failed_start(error)) {
    context_.metrics.recent_starts.record(false, std::chrono::steady_clock::now());
    ++context_.metrics.starts_failed[error.type];
  }
  close_error_ = context_.redactor->redacted(std::move(error));
  log.warn("session did not start",
           {{"error", to_string(close_error_.type)}, {"explanation", close_error_.explanation}});
  closed_.happen();
}

}  // namespace relay
