// The coroutines that watch a child process, and the order of its end.
#include "backend/process/running_child.hpp"
#include "backend/process/unreaped_children.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <csignal>

namespace relay {

namespace {

using Descriptor = asio::posix::stream_descriptor;

// An agent that ends at the end of its input does so at once; one that does not waits for SIGTERM,
// and nobody should wait for that for long.
constexpr int kEndOfInputShare = 4;

// Keeps stdout flowing while the agent ends, so that it never hangs in a write.
Task<void> discard_output(std::shared_ptr<RunningChild> child) {
  while (!child->stopped && child->output.is_open()) {
    const ReadResult result = child->discard_output();
    if (result == ReadResult::kEnd) co_return;
    if (result == ReadResult::kNothing && child->exit) co_return;
    // The outcome does not matter: the loop looks again at what has changed.
    co_await child->output.async_wait(Descriptor::wait_read, kNoThrow);
  }
}

Task<void> wait_for_exit(std::shared_ptr<RunningChild> child, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  child->look_for_exit();
  while (!child->exit && std::chrono::steady_clock::now() < deadline) {
    child->exit_noticed.expires_at(deadline);
    co_await child->exit_noticed.async_wait(kNoThrow);
    child->look_for_exit();
  }
}

void finish(RunningChild& child) {
  child.look_for_exit();
  // What the agent started and left behind goes with it.
  child.signal_group(SIGKILL);
  child.read_errors();
  child.finish_errors();
  child.reap();
  child.stopped = true;
  boost::system::error_code ignored;
  child.output.close(ignored);
  child.errors.close(ignored);
  child.pidfd.close(ignored);  // of one that has not ended it would keep the loop for ever
  child.stop_completed->cancel();
}

}  // namespace

Task<void> watch_exit(std::shared_ptr<RunningChild> child) {
  const auto [failure] = co_await child->pidfd.async_wait(Descriptor::wait_read, kNoThrow);
  if (failure) co_return;
  child->look_for_exit();
  child->exit_noticed.cancel();
  // A helper may hold stdout open; whoever waits for output is told to take what is there.
  boost::system::error_code ignored;
  child->output.cancel(ignored);
}

Task<void> watch_errors(std::shared_ptr<RunningChild> child) {
  while (child->errors.is_open()) {
    const auto [failure] = co_await child->errors.async_wait(Descriptor::wait_read, kNoThrow);
    if (failure) co_return;
    const ReadResult result = child->read_errors();
    if (result == ReadResult::kEnd) break;
  }
  child->finish_errors();
}

Task<void> end_child(std::shared_ptr<RunningChild> child, std::chrono::milliseconds grace) {
  boost::system::error_code ignored;
  child->input.close(ignored);
  child->output.cancel(ignored);
  asio::co_spawn(child->output.get_executor(), discard_output(child), asio::detached);
  co_await wait_for_exit(child, grace / kEndOfInputShare);
  if (!child->exit) {
    child->log.debug("agent did not end by itself, sending SIGTERM", {{"pid", child->pid}});
    child->signal_group(SIGTERM);
    co_await wait_for_exit(child, grace);
  }
  if (!child->exit) {
    child->log.warn("agent did not end on SIGTERM, killing it", {{"pid", child->pid}});
    child->signal_group(SIGKILL);
    co_await wait_for_exit(child, child->options->killed_child_ends);
  }
  if (!child->exit) {
    child->log.error("agent survives SIGKILL, leaving it behind",
                     {{"pid", child->pid}, {"remedy", kRemedyForSurvivor}});
  }
  finish(*child);
}

}  // namespace relay
