#include "backend/docker/helper_process.hpp"

#include "backend/process/spawn.hpp"
#include "http/deadline.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <csignal>
#include <sys/wait.h>
#include <utility>

namespace relay {
namespace {

// All that a short-lived program writes, until it closes its end.
Task<std::string> read_all(asio::posix::stream_descriptor& descriptor) {
  std::string text;
  std::array<char, 1024> buffer{};
  while (text.size() < 4096) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) break;
    const auto [failure, count] =
        co_await descriptor.async_read_some(asio::buffer(buffer), kNoThrow);
    text.append(buffer.data(), count);
    if (failure) break;
  }
  co_return text;
}

bool reap_helper(pid_t pid, siginfo_t& how) {
  const int failure = ::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOHANG);
  return failure != 0 || how.si_pid != 0;
}

Error survives_kill(pid_t pid) {
  return helper_failed("acp-workspace-helper (pid " + std::to_string(pid) + ") survives SIGKILL")
      .suggest(std::string(kRemedyForSurvivor))
      .retryable();
}

}  // namespace

Error helper_failed(std::string reason) {
  while (reason.ends_with('\n')) reason.pop_back();
  return make_error(ErrorType::kWorkspaceUnavailable,
                    "the session's directories could not be prepared or removed: " + reason)
      .suggest("check container.workspace_base_dir: its disk, its owner, its mounts")
      .with("key", "container.workspace_base_dir");
}

Error helper_is_late(std::chrono::milliseconds limit) {
  return make_error(ErrorType::kWorkspaceUnavailable,
                    "the session's directories could not be prepared or removed in time")
      .because("acp-workspace-helper did not end within " + std::to_string(limit.count()) + " ms")
      .suggest(
          "check that the disk of container.workspace_base_dir answers, and the load of its "
          "machine and of the Engine")
      .with("key", "container.workspace_base_dir")
      .retryable();
}

Task<Result<HelperEnd>> run_helper_process(asio::any_io_executor executor, std::string program,
                                           std::vector<std::string> arguments, HelperLimits limits,
                                           UnreapedChildren& unreaped) {
  reap_ended(unreaped);
  if (unreaped.size() >= kMostStuckHelpers) co_return survives_kill(unreaped.front());
  SpawnRequest request;
  request.command = std::move(program);
  request.args = std::move(arguments);
  request.working_directory = "/";
  Result<ChildProcess> child = spawn(request, unreaped);
  if (!child) {
    Error error = std::move(child.error());
    error.type = ErrorType::kWorkspaceUnavailable;
    // Otherwise it is the machine that can start nothing more.
    if (!error.recoverable)
      error.suggested_actions = {"install acp-workspace-helper beside acp-relay"};
    co_return error;
  }
  // A caller that is cancelled ends the program and reaps it; its own setting is put back.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::posix::stream_descriptor errors(executor, child->errors.release());
  asio::posix::stream_descriptor end(executor, child->pidfd.release());
  const auto look_again = [&errors, &end] {
    boost::system::error_code ignored;
    errors.close(ignored);  // no further read begins, whatever has come at this moment
    end.cancel(ignored);
  };
  const http::Deadline late(executor, limits.runs, look_again);
  const std::string said = co_await read_all(errors);
  siginfo_t how = {};
  bool has_ended = reap_helper(child->pid, how);
  while (!has_ended && !late.expired()) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) break;
    co_await end.async_wait(asio::posix::stream_descriptor::wait_read, kNoThrow);
    has_ended = reap_helper(child->pid, how);
  }
  if (!has_ended) {
    ::kill(child->pid, SIGKILL);
    const http::Deadline survives(executor, limits.ends, look_again);
    while (!has_ended && !survives.expired()) {
      co_await end.async_wait(asio::posix::stream_descriptor::wait_read, kNoThrow);
      has_ended = reap_helper(child->pid, how);
    }
  }
  if (!has_ended) leave_unreaped(child->pid, unreaped);
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (!has_ended) co_return survives_kill(child->pid);
  if (how.si_code == CLD_EXITED) co_return HelperEnd{how.si_status, said};
  if (late.expired()) co_return helper_is_late(limits.runs);
  co_return helper_failed("acp-workspace-helper was ended");
}

}  // namespace relay
