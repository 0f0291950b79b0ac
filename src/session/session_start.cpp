// Starting a session: launch, handshake, and undoing both when something fails.
#include "protocol/json_text.hpp"
#include "protocol/splice.hpp"
#include "session/agent_failure.hpp"
#include "session/replay_view.hpp"
#include "session/session.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <variant>

namespace relay {

using namespace boost::asio::experimental::awaitable_operators;

Task<Result<void>> Session::start(StartRequest request) {
  const auto began = std::chrono::steady_clock::now();
  auto launching = launch(request.launch);
  auto aborted = start_aborted_.wait();
  const auto launched = co_await (std::move(launching) || std::move(aborted));
  if (state_ == SessionState::kClosing || !std::get<0>(launched)) {
    const Error why =
        state_ == SessionState::kClosing ? close_error_ : std::get<0>(launched).error();
    co_await abandon_start(why);
    co_return close_error_;
  }
  const auto shaken = co_await shake_hands(request);
  if (!shaken) {
    ++context_.metrics.agent_exits[metrics::ExitCause::kNotStarted];
    co_await abandon_start(shaken.error());
    co_return close_error_;
  }
  state_ = SessionState::kReady;
  update_idle();
  ++context_.metrics.sessions_created;
  context_.metrics.session_start.observe(std::chrono::steady_clock::now() - began);
  log_.info("session ready",
            {{"agent", agent_->description()}, {"cwd", record_.working_directory}});
  co_return Result<void>();
}

// What was launched is the session's at once: also when nobody looks at the result any more.
Task<Result<void>> Session::launch(LaunchSpec spec) {
  auto launched = co_await context_.backend.launch(std::move(spec));
  if (!launched) co_return launched.error();
  agent_ = std::move(*launched);
  record_.working_directory = agent_->working_directory();
  co_return Result<void>();
}

Task<Result<void>> Session::shake_hands(const StartRequest& request) {
  HandshakeOptions options;
  options.cwd = agent_->working_directory();
  options.mcp_servers = request.mcp_servers;
  options.client_capabilities = context_.options.client_capabilities;
  Handshake handshake(context_.request_ids, std::move(options));

  const auto limit = context_.options.startup_timeout;
  auto talk = converse(handshake);
  auto clock = sleep_for(agent_->launched_at() + limit - std::chrono::steady_clock::now());
  auto aborted = start_aborted_.wait();
  const auto first = co_await (std::move(talk) || std::move(clock) || std::move(aborted));
  if (state_ == SessionState::kClosing) co_return close_error_;  // whatever came first
  if (first.index() == 1) {
    const auto starved = co_await agent_->diagnose();
    if (state_ == SessionState::kClosing) co_return close_error_;
    if (starved) co_return *starved;
    co_return agent_timed_out(handshake.phase(), limit, context_.backend.isolation(),
                              agent_->stderr_tail());
  }
  const std::optional<Error>& failure = std::get<0>(first);
  if (failure) co_return *failure;
  become_ready(handshake, request);
  co_return Result<void>();
}

Task<std::optional<Error>> Session::converse(Handshake& handshake) {
  std::vector<SharedBytes> message{handshake.initialize()};
  auto sent = co_await agent_->send(message);
  while (sent) {
    auto output = co_await agent_->receive();
    if (!output) break;
    context_.metrics.agent_lines_skipped[metrics::SkipReason::kOversized] +=
        output->oversized_lines;
    for (std::string& line : output->lines) {
      if (handshake.ready()) {  // read together with the last answer
        early_lines_.push_back(std::move(line));
        continue;
      }
      auto frame = Frame::parse(std::move(line), context_.options.frame);
      if (!frame) {
        ++context_.metrics.agent_lines_skipped[metrics::SkipReason::kNotJson];
        log_.warn("agent printed a line that is no message",
                  {{"reason", frame.error().explanation}});
        continue;
      }
      const Handshake::Progress progress = handshake.take(std::move(*frame));
      if (progress == Handshake::Progress::kFailed) co_return handshake.failure();
      if (progress == Handshake::Progress::kSend) {
        message.assign(1, handshake.next_message());
        sent = co_await agent_->send(message);
      }
    }
    if (handshake.ready()) co_return std::nullopt;
  }
  const AgentExit exit = co_await agent_->stop(context_.options.stop_grace);
  Error error = agent_exited(exit, handshake.phase());
  if (!exit.cause) error.type = ErrorType::kAgentStartFailed;
  co_return error;
}

void Session::become_ready(Handshake& handshake, const StartRequest& request) {
  record_.agent_session_id = handshake.agent_session();
  router_.emplace(record_.id, handshake.agent_session(), context_.options.router,
                  context_.request_ids, 0);
  initialize_result_ = handshake.initialize_result();
  const Frame& response = handshake.session_response();
  const std::string relay_json = json_string(record_.id.value());
  const std::string agent_json = "\"" + record_.agent_session_id + "\"";
  Edits edits;
  translate_session(response, agent_json, relay_json, edits);
  edits.push_back({response.envelope().id, request.request_id});
  const std::string translated = splice(response.bytes(), std::move(edits));
  auto parsed = Frame::parse(translated, {});
  new_result_ = parsed ? std::string(parsed->result()) : "{}";

  context_.log.session_created(record_);
  advance_clock();
  effects_.clear();
  router_->record(storage::Origin::kClient, storage::MessageKind::kRequest, false, "session/new",
                  request.request_id, request.stored_request, effects_);
  for (Frame& early : handshake.take_early()) router_->from_agent(std::move(early), effects_);
  router_->record(storage::Origin::kAgent, storage::MessageKind::kResponse, true, {},
                  request.request_id, SharedBytes(translated), effects_);
  for (std::string& line : early_lines_) from_agent(std::move(line), effects_);
  early_lines_ = {};
  keep_opening(effects_);
  perform(effects_);
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

// A session that never became ready is not in the log: nobody has seen its id.
Task<void> Session::abandon_start(Error error) {
  if (agent_) co_await agent_->stop(context_.options.stop_grace);
  agent_.reset();
  co_await context_.backend.release(record_.id);
  state_ = SessionState::kClosed;
  close_error_ = context_.redactor->redacted(std::move(error));
  log_.warn("session did not start",
            {{"error", to_string(close_error_.type)}, {"explanation", close_error_.explanation}});
  closed_.happen();
}

}  // namespace relay
