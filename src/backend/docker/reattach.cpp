// Going on with the container that an earlier run of the relay has left running.
#include "backend/docker/docker_agent.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/exit_cause.hpp"
#include "backend/docker/reopened_way_out.hpp"
#include "backend/docker/way_out.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace relay {
namespace {

// How long a start waits for an agent to end that is not gone on with.
constexpr std::chrono::seconds kUnwantedLimit(5);
// Between two questions to an Engine that does not answer them.
constexpr std::chrono::milliseconds kFirstInspection(100);
constexpr std::chrono::milliseconds kLongestWait(10'000);

Error no_agent(std::string explanation) {
  return make_error(ErrorType::kRelayRestarted, std::move(explanation))
      .suggest("read what was said with session/resume")
      .suggest("go on in a session made with session/new")
      .retryable();
}

bool runs(const engine::ContainerState& state) {
  return state.status == "running" || state.status == "paused";
}

EgressCarrier carrier_of(const engine::ContainerFacts& facts) {
  return facts.label(kCarrierLabel) == carrier_name(EgressCarrier::kStdio) ? EgressCarrier::kStdio
                                                                           : EgressCarrier::kUnix;
}

}  // namespace

// A container of another relay is left alone.
bool DockerBackend::is_own(const std::optional<engine::ContainerFacts>& facts,
                           const SessionId& session) const {
  return facts && facts->label(kInstanceLabel) == context_.host.instance &&
         facts->label(kSessionLabel) == session.value();
}

Task<void> DockerBackend::end_unwanted(SessionId session) {
  context_.arrive(session);
  discard_own(session);
  [[maybe_unused]] const bool gone = co_await context_.departs_within(session, kUnwantedLimit);
}

void DockerBackend::discard_own(const SessionId& session) {
  context_.background.spawn("discard a container of an earlier run",
                            [this, session] { return discard_when_seen(session); });
}

// Nothing is removed by its name alone.
Task<void> DockerBackend::discard_when_seen(SessionId session) {
  auto facts = co_await context_.engine.inspect(container_name(session));
  for (auto pause = kFirstInspection; !facts; pause = std::min(pause * 2, kLongestWait)) {
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    auto again = co_await context_.engine.inspect(container_name(session));
    facts = std::move(again);
  }
  if (is_own(*facts, session)) {
    discard_unless_kept(session, (*facts)->state);
  } else {
    context_.depart(session);
  }
}

// One that has ended may be kept for whoever wants to know why.
void DockerBackend::discard_unless_kept(const SessionId& session,
                                        const engine::ContainerState& state) {
  if (!context_.options->auto_remove && !runs(state)) return context_.depart(session);
  context_.log.info("removes the container of a session that does not go on with its agent",
                    {{"session", session.value()}});
  context_.discard(session);
}

Task<Result<Reattachment>> DockerBackend::reattach(SessionId session, OutputPosition position) {
  const std::string name = container_name(session);
  context_.arrive(session);
  const auto facts = co_await context_.engine.inspect(name);
  if (!facts) {
    discard_own(session);
    co_return facts.error();
  }
  if (!is_own(*facts, session)) {
    context_.depart(session);
    co_return no_agent("the relay was restarted, and the agent's container is not there any more");
  }
  Reattachment reattached;
  auto container = co_await take_up(**facts, position, reattached.output_lost);
  if (!container) {
    discard_unless_kept(session, (*facts)->state);
    co_return container.error();
  }
  const ContainerOptions& options = *(*container)->options;
  const auto directories = session_directories(options.workspace_base_dir, session);
  // An earlier run may have given it one where this one has none to give.
  const bool has_reach = !options.egress.reach.empty() && context_.host.broker != nullptr;
  if (has_reach && has_way_out(directories)) {
    co_await reopen_way_out(*container, carrier_of(**facts));
  } else if (has_way_out(directories)) {
    (*container)->log.warn("the agent has no way out any more, as it is configured now");
  }
  (*container)
      ->log.info("goes on with an agent of an earlier run",
                 {{"output_lost", reattached.output_lost}});
  reattached.agent = std::make_unique<DockerAgent>(
      std::move(*container), (*facts)->working_directory, std::chrono::steady_clock::now());
  co_return std::move(reattached);
}

Task<Result<std::shared_ptr<AttachedContainer>>> DockerBackend::take_up(
    engine::ContainerFacts facts, OutputPosition position, bool& output_lost) {
  if (context_.host.is_podman()) {
    co_return no_agent("the relay was restarted, and Podman closes an agent's input with it")
        .suggest("use Docker for agents that outlive the relay");
  }
  if (!runs(facts.state)) {
    const Error ended = co_await ended_meanwhile(std::move(facts));
    co_return ended;
  }
  auto watch =
      co_await context_.engine.watch_exit(facts.id, engine::EngineClient::Until::kNotRunning);
  if (!watch) co_return watch.error();
  auto streams = co_await open_output(context_, facts.id, facts.log_driver, position);
  if (streams) {
    auto input = co_await open_input(context_, facts.id);
    if (input) {
      streams->input = std::move(*input);
    } else {
      streams = input.error();
    }
  }
  // What ended meanwhile has no streams, or ones that say nothing.
  const auto later = co_await context_.engine.inspect(facts.id);
  if (!later) co_return later.error();
  if (!*later) co_return no_agent("the agent's container was removed while the relay started");
  if (!runs((*later)->state)) {
    const Error ended = co_await ended_meanwhile(std::move(**later));
    co_return ended;
  }
  if (!streams) co_return streams.error();
  output_lost = streams->lost;
  auto container =
      std::make_shared<AttachedContainer>(context_, facts, std::move(*streams), std::move(*watch));
  watch_events(container);
  read_from(container);
  co_return container;
}

Task<Error> DockerBackend::ended_meanwhile(engine::ContainerFacts facts) {
  EndedContainer ended;
  ended.stderr_tail = co_await logged_errors(context_, facts.id);
  ended.disk_is_full = co_await context_.workspaces.disk_is_full();
  ended.state = std::move(facts.state);
  co_return ended_without_relay(container_exit(*context_.options, ended));
}

}  // namespace relay
