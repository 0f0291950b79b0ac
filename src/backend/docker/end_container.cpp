// The order in which a container ends.
#include "backend/docker/attached_container.hpp"
#include "backend/docker/exit_cause.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

// A killed container that has not ended within this does so without an audience.
constexpr std::chrono::milliseconds kKilledContainerEnds(5'000);

Task<bool> happens_within(const Event& event, Task<void> waiting, std::chrono::milliseconds limit) {
  auto clock = sleep_for(limit);
  co_await (std::move(waiting) || std::move(clock));
  co_return event.happened();
}

Task<bool> exits_within(AttachedContainer& container, std::chrono::milliseconds limit) {
  auto waiting = container.exited.wait();
  const bool exited = co_await happens_within(container.exited, std::move(waiting), limit);
  co_return exited;
}

// Terminates, and kills what does not care.
Task<void> terminate(AttachedContainer& container, std::chrono::milliseconds grace) {
  engine::EngineClient& engine = container.context.engine;
  auto told = co_await engine.kill(container.id, "SIGTERM");
  if (!told || !*told) co_return;  // no Engine, or it runs no more
  const bool exited = co_await exits_within(container, grace);
  if (exited) co_return;
  container.log.info("agent does not end when asked to, killing it", {{"grace_ms", grace.count()}});
  told = co_await engine.kill(container.id, "SIGKILL");
  if (told && *told) co_await exits_within(container, kKilledContainerEnds);
}

Task<EndedContainer> look_at(AttachedContainer& container) {
  EndedContainer ended;
  const auto facts = co_await container.context.engine.inspect(container.id);
  if (facts && *facts) ended.state = (*facts)->state;
  if (!facts) ended.engine_failure = facts.error();
  if (container.exit_code && *container.exit_code) ended.exit_code = **container.exit_code;
  ended.oom_event = container.oom != AttachedContainer::Oom::kNone;
  ended.stderr_tail = container.stderr_text();
  ended.disk_is_full = co_await container.context.workspaces.disk_is_full();
  co_return ended;
}

}  // namespace

Task<void> end_container(std::shared_ptr<AttachedContainer> container,
                         std::chrono::milliseconds grace) {
  DockerContext& context = container->context;
  const bool by_itself = container->output_ended.happened() || container->exited.happened();
  container->room.notify();
  container->watch_changed.notify();
  bool exited = container->exited.happened();
  if (!exited && by_itself) exited = co_await exits_within(*container, kEndFollows);
  const bool output_closed = by_itself && !exited;
  if (!exited) co_await terminate(*container, grace);
  auto drained = container->output_ended.wait();
  co_await happens_within(container->output_ended, std::move(drained), kEndFollows);

  EndedContainer ended = co_await look_at(*container);
  ended.asked_to_stop = !by_itself;
  ended.output_closed = output_closed;
  container->exit = container_exit(*container->options, ended);
  context.events.forget(container->id);
  container->close_streams();
  Result<void> removed;
  if (context.options->auto_remove) {
    removed = co_await context.engine.remove(container->id);
  } else {
    container->log.info("container is kept", {{"key", "container.auto_remove"}});
  }
  if (removed) {
    context.depart(container->session);
  } else {
    context.discard(container->session);
  }
  container->finished.happen();
}

}  // namespace relay
