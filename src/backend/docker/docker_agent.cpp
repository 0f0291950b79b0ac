#include "backend/docker/docker_agent.hpp"

#include "backend/docker/exit_cause.hpp"
#include "backend/docker/input_pieces.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

static_assert(LineSplitter::kSlack >= kLineSlack);

// What stop() waits beyond its two graces, for an Engine that is slow to answer.
constexpr std::chrono::milliseconds kPatience(3'000);
// An Engine that ends may give another input in its last moments.
constexpr int kMostRenewals = 3;
constexpr std::chrono::milliseconds kBetweenRenewals(200);

Error no_longer_reads(const AttachedContainer& container, std::string explanation) {
  Error error = make_error(ErrorType::kAgentExited, std::move(explanation))
                    .suggest("start another session")
                    .with("phase", "send");
  std::string tail = container.stderr_text();
  if (!tail.empty()) error.state.emplace_back("stderr_tail", std::move(tail));
  return error;
}

std::string joined(std::span<const SharedBytes> messages) {
  std::size_t size = 0;
  for (const SharedBytes& message : messages) size += message.size() + 1;
  std::string bytes;
  bytes.reserve(size);
  for (const SharedBytes& message : messages) {
    bytes += message.view();
    bytes += '\n';
  }
  return bytes;
}

}  // namespace

DockerAgent::DockerAgent(std::shared_ptr<AttachedContainer> container,
                         std::string working_directory,
                         std::chrono::steady_clock::time_point launched_at)
    : container_(std::move(container)),
      working_directory_(std::move(working_directory)),
      launched_at_(launched_at) {}

DockerAgent::~DockerAgent() {
  // A stop() under way finishes by itself.
  if (!container_->is_stopping()) begin_to_end(std::chrono::milliseconds(0));
}

void DockerAgent::begin_to_end(std::chrono::milliseconds grace) {
  container_->stage = AttachedContainer::Stage::kEnds;
  container_->context.background.spawn(
      "end container", [container = container_, grace] { return end_container(container, grace); });
}

Task<Result<void>> DockerAgent::send(std::span<const SharedBytes> messages) {
  using Input = AttachedContainer::Input;
  const std::shared_ptr<AttachedContainer> container = container_;
  if (container->is_stopping()) co_return no_longer_reads(*container, "the agent is being stopped");
  if (container->input == Input::kInAMessage) {
    co_return no_longer_reads(*container,
                              "the agent's input was cut off in the middle of a message");
  }
  if (container->output_ended.happened()) {
    co_return no_longer_reads(*container, "the agent has exited");
  }
  const std::string bytes = joined(messages);
  std::string_view unsent = bytes;
  int renewals = 0;  // of the input, for the same piece
  while (!unsent.empty()) {
    if (container->input != Input::kIsCut) {
      container->input = Input::kInAMessage;  // until everything is written
      const std::shared_ptr<http::Stream> input = container->input_stream;
      const std::string_view piece = next_piece(unsent);
      const auto written = co_await input->write(piece);
      if (written) {
        unsent.remove_prefix(piece.size());
        renewals = 0;
        continue;
      }
    }
    // Where the input was cut off, and the agent goes on, what has arrived of a message ends as a
    // line of its own, and the message is written again; those before it are not.
    auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) throw_cancelled();
    if (++renewals > kMostRenewals)
      co_return no_longer_reads(*container, "the agent no longer takes input");
    if (renewals > 1) {
      const bool slept = co_await sleep_for(kBetweenRenewals);
      if (!slept) throw_cancelled();
    }
    const bool takes_input = co_await renew_input(*container);
    state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) throw_cancelled();
    if (!takes_input) co_return no_longer_reads(*container, "the agent no longer takes input");
  }
  if (container->input == Input::kInAMessage) container->input = Input::kTakes;
  co_return Result<void>();
}

Task<std::optional<AgentOutput>> DockerAgent::receive() {
  const std::shared_ptr<AttachedContainer> container = container_;
  while (!container->has_output()) {
    if (container->output_ended.happened()) co_return std::nullopt;
    const bool woken = co_await container->output_ready.wait();
    if (!woken) throw_cancelled();
  }
  co_return std::optional<AgentOutput>(container->take_output());
}

Task<AgentExit> DockerAgent::stop(std::chrono::milliseconds grace) {
  // A cancelled caller still gets the agent ended; its own setting is put back at the end.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::shared_ptr<AttachedContainer> container = container_;
  if (!container->is_stopping()) begin_to_end(grace);
  const auto deadline = std::chrono::steady_clock::now() + 2 * grace + kPatience;
  while (!container->finished.happened() && std::chrono::steady_clock::now() < deadline) {
    auto finished = container->finished.wait();
    auto clock = sleep_for(deadline - std::chrono::steady_clock::now());
    co_await (std::move(finished) || std::move(clock));
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  // It is known before the container is removed, for which a slow Engine may take its time.
  if (container->exit) co_return *container->exit;
  AgentExit unknown;
  unknown.stderr_tail = container->stderr_text();
  unknown.cause = make_error(ErrorType::kDockerNotAvailable,
                             "the Docker Engine does not say how the agent ended")
                      .suggest("systemctl status docker")
                      .suggest("journalctl -u docker -n 50")
                      .retryable();
  co_return unknown;
}

void DockerAgent::kill() noexcept {
  container_->stage = AttachedContainer::Stage::kEnds;  // there is nothing more to end
  container_->context.engine.remove_now(container_->id);
}

std::string_view DockerAgent::carrier() const {
  return container_->carried_by ? carrier_name(*container_->carried_by) : std::string_view();
}

bool DockerAgent::leave() noexcept {
  container_->let_go(AttachedContainer::Stage::kIsLeft);
  return true;
}

Task<std::optional<Error>> DockerAgent::diagnose() {
  const std::shared_ptr<AttachedContainer> container = container_;
  const auto usage = co_await container->context.engine.usage(container->id);
  if (!usage || !*usage) co_return std::nullopt;
  co_return starved(*container->options, **usage);
}

Task<std::optional<AgentUsage>> DockerAgent::usage() {
  const std::shared_ptr<AttachedContainer> container = container_;
  engine::EngineClient& engine = container->context.engine;
  std::optional<AgentUsage> out;
  const auto facts = co_await engine.inspect(container->id);
  if (!facts || !*facts) co_return out;
  out = AgentUsage{};
  out->state = (*facts)->state.status;
  out->started_at = (*facts)->state.started_at;
  if (!(*facts)->state.running) co_return out;
  const auto counters = co_await engine.usage(container->id);
  if (!counters || !*counters) co_return out;
  const engine::ContainerUsage& now = **counters;
  out->cpu_time = now.cpu_time;
  out->memory_bytes = now.memory_bytes;
  out->memory_limit_bytes = now.memory_limit_bytes;
  out->processes = now.pids;
  out->process_limit = now.pids_limit;
  out->network_received_bytes = now.network_received_bytes;
  out->network_sent_bytes = now.network_sent_bytes;
  out->disk_read_bytes = now.disk_read_bytes;
  out->disk_written_bytes = now.disk_written_bytes;
  co_return out;
}

}  // namespace relay
