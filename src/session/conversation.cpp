#include "session/conversation.hpp"

#include "protocol/relay_ids.hpp"
#include "session/agent_failure.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <variant>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

Error given_up() {
  return make_error(ErrorType::kShuttingDown, "the relay is shutting down").retryable();
}

// How long the agent takes for what it is asked. A session that it can't go on with, so that it is
// asked for another, is a part of that other's time.
class AnswerClock {
 public:
  explicit AnswerClock(Metrics& metrics) : metrics_(metrics) {}

  void answered(std::string_view phase, bool is_ready) {
    const bool opens = phase.starts_with("session/");
    if (opens && !is_ready) return;
    const auto now = std::chrono::steady_clock::now();
    if (opens) metrics_.start_phases[metrics::StartPhase::kNew].observe(now - asked_at_);
    if (phase == "initialize") {
      metrics_.start_phases[metrics::StartPhase::kInitialize].observe(now - asked_at_);
    }
    asked_at_ = now;
  }

 private:
  Metrics& metrics_;
  std::chrono::steady_clock::time_point asked_at_ = std::chrono::steady_clock::now();
};

Task<Result<std::string>> introduction_of(const SessionContext& context, Agent& agent,
                                          Greeting greeting, Event& abort) {
  HandshakeOptions options;
  options.greeting = std::move(greeting);
  Handshake handshake(context.request_ids, std::move(options), Handshake::Extent::kIntroduction);
  AgentOutput unread;
  const auto limit = context.options.startup_timeout;
  auto talk = converse(context, agent, handshake, unread);
  auto clock = sleep_for(agent.launched_at() + limit - std::chrono::steady_clock::now());
  auto aborted = abort.wait();
  const auto first = co_await (std::move(talk) || std::move(clock) || std::move(aborted));
  if (abort.happened()) co_return given_up();
  if (first.index() == 1) {
    co_return agent_timed_out({handshake.phase(), limit, context.backend.isolation(),
                               agent.stderr_tail(), handshake.first_skipped()});
  }
  const std::optional<Error>& failure = std::get<0>(first);
  if (failure) co_return *failure;
  co_return handshake.initialize_result();
}

}  // namespace

Task<std::optional<Error>> converse(const SessionContext& context, Agent& agent,
                                    Handshake& handshake, AgentOutput& early) {
  FrameLimits limits = context.options.frame;
  limits.writer = Writer::kAgent;
  std::vector<SharedBytes> message{handshake.initialize()};
  AnswerClock clock(context.metrics);
  auto sent = co_await agent.send(message);
  while (sent) {
    auto output = co_await agent.receive();
    if (!output) break;
    early.position = output->position;
    context.metrics.agent_lines_skipped[metrics::SkipReason::kOversized] += output->oversized_lines;
    for (std::string& line : output->lines) {
      if (handshake.ready()) {  // read together with the last answer
        early.lines.push_back(std::move(line));
        continue;
      }
      auto frame = Frame::parse(std::move(line), limits);
      if (!frame) {
        ++context.metrics.agent_lines_skipped[metrics::SkipReason::kNotJson];
        if (handshake.first_skipped().empty()) {
          context.logger.warn("agent printed a line that is no message",
                              {{"reason", frame.error().explanation}});
        }
        handshake.skipped(std::move(frame.error().excerpt));
        continue;
      }
      const std::string asked(handshake.phase());
      const Handshake::Progress progress = handshake.take(std::move(*frame));
      if (progress == Handshake::Progress::kFailed) co_return handshake.failure();
      if (progress != Handshake::Progress::kWaiting) clock.answered(asked, handshake.ready());
      if (progress == Handshake::Progress::kSend) {
        message.assign(1, handshake.next_message());
        sent = co_await agent.send(message);
      }
    }
    if (handshake.ready()) co_return std::nullopt;
  }
  const AgentExit exit = co_await agent.stop(context.options.stop_grace);
  Error error = agent_exited(exit, handshake.phase());
  if (!exit.cause) error.type = ErrorType::kAgentStartFailed;
  co_return error;
}

Task<Result<std::string>> introduce(const SessionContext& context, Greeting greeting,
                                    Event& abort) {
  LaunchSpec spec;
  spec.session = new_session_id();
  const SessionId id = spec.session;
  auto launched = co_await context.backend.launch(std::move(spec));
  if (!launched) {
    co_await context.backend.release(id);  // directories, when only the container failed
    co_return context.redactor->redacted(std::move(launched.error()));
  }
  const std::unique_ptr<Agent> agent = std::move(*launched);
  auto introduction = co_await introduction_of(context, *agent, std::move(greeting), abort);
  co_await agent->stop(context.options.stop_grace);
  co_await context.backend.release(id);
  if (!introduction) co_return context.redactor->redacted(std::move(introduction.error()));
  co_return introduction;
}

}  // namespace relay
