#include "backend/process/process_agent.hpp"

#include "backend/process/process_usage.hpp"
#include "backend/process/write_messages.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstring>
#include <utility>

namespace relay {

namespace {

using Descriptor = asio::posix::stream_descriptor;

static_assert(LineSplitter::kSlack >= kLineSlack);

// What a process wrote before it ended fits its pipe; more comes from a helper that goes on.
constexpr std::size_t kMaxAfterExit = 1024 * 1024;

Error no_longer_reads(const RunningChild& child, std::string explanation) {
  Error error = make_error(ErrorType::kAgentExited, std::move(explanation))
                    .suggest("start another session")
                    .with("phase", "send");
  if (child.exit && child.exit->exit_code) {
    error.state.emplace_back("exit_code", std::int64_t{*child.exit->exit_code});
  }
  if (child.exit && child.exit->signal) {
    error.state.emplace_back("signal", std::int64_t{*child.exit->signal});
  }
  std::string tail = child.stderr_text();
  if (!tail.empty()) error.state.emplace_back("stderr_tail", std::move(tail));
  return error;
}

Error write_failed(RunningChild& child, int failure) {
  child.look_for_exit();
  child.read_errors();
  if (child.exit) return no_longer_reads(child, "the agent has exited");
  if (failure == EPIPE) return no_longer_reads(child, "the agent has closed its input");
  return no_longer_reads(child,
                         std::string("writing to the agent failed: ") + std::strerror(failure));
}

// Takes what is in the pipe of a process that has ended.
void read_remains(RunningChild& child, std::vector<std::string>& lines) {
  const ReadResult result = child.read_output(lines);
  child.output_ended = result != ReadResult::kSome || child.read_after_exit > kMaxAfterExit;
}

}  // namespace

ProcessAgent::ProcessAgent(std::shared_ptr<RunningChild> child, std::string working_directory,
                           LaunchTimes launch_times)
    : child_(std::move(child)),
      working_directory_(std::move(working_directory)),
      launch_times_(launch_times) {
  const asio::any_io_executor executor = child_->output.get_executor();
  asio::co_spawn(executor, watch_exit(child_), asio::detached);
  asio::co_spawn(executor, watch_errors(child_), asio::detached);
}

ProcessAgent::~ProcessAgent() {
  // A stop() under way finishes by itself.
  if (!child_->stopping) child_->abandon();
}

std::string ProcessAgent::description() const { return "pid " + std::to_string(child_->pid); }

Task<Result<void>> ProcessAgent::send(std::span<const SharedBytes> messages) {
  const std::shared_ptr<RunningChild> child = child_;
  WriteProgress progress;
  while (progress.next_message < messages.size()) {
    if (child->stopping) co_return no_longer_reads(*child, "the agent is being stopped");
    if (child->input_broken) {
      co_return no_longer_reads(*child, "the agent's input was cut off in the middle of a message");
    }
    const int failure = write_messages(child->input.native_handle(), messages, progress);
    if (failure == 0) continue;
    if (failure != EAGAIN) co_return write_failed(*child, failure);
    const auto [waiting] = co_await child->input.async_wait(Descriptor::wait_write, kNoThrow);
    if (waiting && !child->stopping) {
      child->input_broken = progress.offset > 0;
      throw_cancelled();
    }
  }
  co_return Result<void>();
}

Task<std::optional<AgentOutput>> ProcessAgent::receive() {
  const std::shared_ptr<RunningChild> child = child_;
  AgentOutput output;
  while (!child->stopping && !child->output_ended) {
    if (child->exit) {
      read_remains(*child, output.lines);
    } else {
      const auto [failure, count] =
          co_await child->output.async_read_some(asio::buffer(child->first_read), kNoThrow);
      if (child->stopping) break;
      child->splitter.push({child->first_read.data(), count}, output.lines);
      if (failure == asio::error::operation_aborted) {
        if (!child->exit) throw_cancelled();
      } else if (failure) {
        child->output_ended = true;
      } else if (count == child->first_read.size()) {
        child->output_ended = child->read_output(output.lines) == ReadResult::kEnd;
      }
    }
    if (child->output_ended) child->splitter.finish(output.lines);
    output.oversized_lines = child->splitter.take_oversized();
    if (!output.lines.empty() || output.oversized_lines > 0) {
      co_return std::optional<AgentOutput>(std::move(output));
    }
  }
  co_return std::nullopt;
}

Task<AgentExit> ProcessAgent::stop(std::chrono::milliseconds grace) {
  // A cancelled caller still gets the agent ended; its own setting is put back at the end.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::shared_ptr<RunningChild> child = child_;
  if (!child->stopping) {
    child->stopping = true;
    const asio::any_io_executor executor = child->output.get_executor();
    child->stop_completed.emplace(executor, asio::steady_timer::time_point::max());
    asio::co_spawn(executor, end_child(child, grace), asio::detached);
  }
  while (!child->stopped) {
    co_await child->stop_completed->async_wait(kNoThrow);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  AgentExit exit = child->exit.value_or(AgentExit{});
  exit.stderr_tail = child->stderr_text();
  co_return exit;
}

Task<std::optional<AgentUsage>> ProcessAgent::usage() {
  std::optional<AgentUsage> usage;
  if (!child_->is_reaped()) usage = usage_of_processes(child_->pid);
  if (usage) usage->started_at = started_at_;
  co_return usage;
}

}  // namespace relay
