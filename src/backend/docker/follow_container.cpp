// What goes on for as long as a container lives: reading its output and waiting for its end.
#include "backend/docker/attached_container.hpp"
#include "backend/docker/output_rounds.hpp"
#include "base/turn.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <utility>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

// An Engine that ends may take with it what an agent wrote in its last moments.
constexpr std::chrono::milliseconds kStillWriting(2'000);
// How long an Engine that restarts is waited for.
constexpr std::chrono::seconds kEngineComesBack(30);
constexpr std::chrono::milliseconds kFirstLook(50);
constexpr std::chrono::milliseconds kLongestLook(1'000);
// An output that lasted for so long was not cut off at once.
constexpr std::chrono::seconds kLasts(10);

using Time = std::chrono::steady_clock::time_point;

// True: the agent was writing when it ended.
Task<bool> read_to_the_end(AttachedContainer& container) {
  const std::shared_ptr<http::Stream> stream = container.output_stream;
  Time last;
  Turn turn;
  while (true) {
    const auto bytes = co_await stream->read_some();
    if (!bytes || bytes->empty()) co_return std::chrono::steady_clock::now() - last < kStillWriting;
    last = std::chrono::steady_clock::now();
    wake_together([&] { container.take(*bytes); });
    if (turn.is_over(bytes->size())) {
      co_await asio::post(container.context.executor, asio::use_awaitable);
    }
    while (container.is_full() && !container.is_stopping()) {
      const bool woken = co_await container.room.wait();
      if (!woken) co_return false;
    }
  }
}

// The output of an attach stream has ended: was it the Engine that cut it off? The wait call of a
// container that goes on tells, for it is cut off as well.
Task<bool> was_cut_off(AttachedContainer& container) {
  const auto patience = std::chrono::steady_clock::now() + kEndFollows;
  while (!container.is_stopping() && !container.exited.happened()) {
    if (container.watch_was_cut && !container.engine_is_away) co_return true;
    const auto left = patience - std::chrono::steady_clock::now();
    if (!container.engine_is_away && left <= std::chrono::seconds(0)) break;  // closed by the agent
    auto changed = container.watch_changed.wait();
    auto clock = sleep_for(container.engine_is_away ? kEngineComesBack : left);
    co_await (std::move(changed) || std::move(clock));
  }
  co_return false;
}

// Docker may also cut off who reads a log that is rotated.
Task<bool> goes_on(AttachedContainer& container) {
  if (container.is_stopping() || container.context.host.is_podman()) co_return false;
  if (container.is_logged()) co_return co_await still_runs(container);
  co_return co_await was_cut_off(container);
}

Error output_is_lost() {
  return make_error(ErrorType::kDockerNotAvailable,
                    "a part of the agent's output may be lost: the Engine cut it off")
      .because("the Engine was restarted, or rotated the container's log while it was read")
      .suggest("look at the agent's last answers, and ask again for what is missing")
      .suggest("cancel the turn if nothing more comes: its end may be among what is lost")
      .retryable();
}

// Ends early with the container.
Task<void> pause_for(AttachedContainer& container, std::chrono::milliseconds pause) {
  const auto until = std::chrono::steady_clock::now() + pause;
  while (!container.is_stopping() && !container.exited.happened()) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= std::chrono::seconds(0)) break;
    auto changed = container.watch_changed.wait();
    auto clock = sleep_for(left);
    co_await (std::move(changed) || std::move(clock));
  }
}

// Over an Engine that goes away once more meanwhile.
Task<Result<ContainerStreams>> open_again(AttachedContainer& container, OutputRounds& rounds) {
  while (true) {
    co_await pause_for(container, rounds.pause());
    const OutputPosition position = container.position();
    auto opening = rounds.in_vain() ? open_live_output(container.context, container.id, position)
                                    : open_output(container.context, container.id,
                                                  container.log_driver, position);
    auto streams = co_await std::move(opening);
    if (streams || streams.error().type != ErrorType::kDockerNotAvailable) co_return streams;
    const bool runs = co_await still_runs(container);
    if (!runs) co_return streams;
    rounds.end_round(false);
  }
}

// Another wait call, over an Engine that goes away once more meanwhile. False: there is nothing to
// wait for, or the Engine refuses.
Task<bool> watch_again(AttachedContainer& container) {
  auto pause = kFirstLook;
  while (true) {
    const bool runs = co_await still_runs(container);
    if (!runs || container.is_stopping()) co_return false;
    auto watch = co_await container.context.engine.watch_exit(
        container.id, engine::EngineClient::Until::kNotRunning);
    if (container.is_stopping()) co_return false;
    if (watch) {
      container.watch = std::move(*watch);
      co_return true;
    }
    if (watch.error().type != ErrorType::kDockerNotAvailable) co_return false;
    if (pause == kFirstLook) {
      container.log.warn("the Engine does not tell of the container's end, it is asked again",
                         {{"reason", watch.error().explanation}});
    }
    co_await pause_for(container, pause);
    pause = std::min(pause * 2, kLongestLook);
  }
}

}  // namespace

Task<bool> still_runs(AttachedContainer& container) {
  const auto deadline = std::chrono::steady_clock::now() + kEngineComesBack;
  auto pause = kFirstLook;
  while (!container.is_stopping()) {
    const auto facts = co_await container.context.engine.inspect(container.id);
    if (facts) co_return *facts && (*facts)->state.running;
    if (std::chrono::steady_clock::now() > deadline) break;
    const bool slept = co_await sleep_for(pause);
    if (!slept) break;
    pause = std::min(pause * 2, kLongestLook);
  }
  co_return false;
}

Task<bool> renew_input(AttachedContainer& container) {
  if (container.context.host.is_podman()) co_return false;  // which has closed the agent's stdin
  container.cut_input();
  const bool runs = co_await still_runs(container);
  if (!runs || container.is_stopping()) co_return false;
  auto input = co_await open_input(container.context, container.id);
  if (container.is_stopping() || container.output_ended.happened()) co_return false;
  if (!input) co_return true;  // the Engine goes away again, perhaps
  container.log.warn("the agent's input was cut off, going on in another one");
  container.input_stream = std::move(*input);
  container.input = AttachedContainer::Input::kInAMessage;  // of the send() that asks for it
  co_return true;
}

Task<void> pump_output(std::shared_ptr<AttachedContainer> container) {
  OutputRounds rounds;
  std::uint64_t read = 0;
  while (true) {
    const auto began = std::chrono::steady_clock::now();
    const bool was_writing = co_await read_to_the_end(*container);
    const bool lasted = std::chrono::steady_clock::now() - began > kLasts;
    const bool again = co_await goes_on(*container);
    if (!again) break;
    container->watch_was_cut = false;
    const std::uint64_t bytes = container->position().bytes;
    rounds.end_round(std::exchange(read, bytes) != bytes || lasted);
    auto streams = co_await open_again(*container, rounds);
    if (!streams || container->is_stopping()) break;
    if (!streams->is_log && container->exited.happened()) break;  // it would never end
    container->log.warn(
        "the Engine cut the agent's output off, going on with it",
        {{"in_the_log", streams->is_log}, {"output_lost", streams->lost || was_writing}});
    if (streams->lost || was_writing) container->lose_output(output_is_lost());
    container->go_on_with(std::move(*streams));
  }
  container->end_output();
}

Task<void> watch_exit(std::shared_ptr<AttachedContainer> container) {
  while (true) {
    container->exit_code = co_await container->watch.wait();
    if (*container->exit_code || container->is_stopping()) break;
    container->engine_is_away = true;
    container->watch_was_cut = true;
    // The Engine has gone with all streams, though a write may not tell so.
    if (!container->context.host.is_podman()) container->cut_input();
    container->watch_changed.notify();
    const bool watched = co_await watch_again(*container);
    if (!watched) break;
    container->engine_is_away = false;
    container->watch_changed.notify();
  }
  container->exited.happen();
  container->over.happen();
  container->watch_changed.notify();
}

}  // namespace relay
