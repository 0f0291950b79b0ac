// Running acp-workspace-helper: as a child process, or as root in a container.
#include "backend/docker/workspaces.hpp"
#include "backend/process/spawn.hpp"
#include "base/random_id.hpp"
#include "http/deadline.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

namespace relay {
namespace {

// What acp-workspace-helper ends with when a copy would be larger than allowed.
constexpr int kTooLarge = 3;
// Of what a helper in a container does. A removal that was cut off goes on with the next one.
constexpr std::chrono::seconds kMakes(30);
constexpr std::chrono::minutes kRemoves(5);

std::chrono::milliseconds limit_of(const HelperTask& task) {
  if (task.arguments.front() == "make") return kMakes;
  if (task.arguments.front() == "remove") return kRemoves;
  return std::chrono::milliseconds(0);  // nobody knows how long a copy may take
}

Error helper_failed(std::string reason) {
  while (reason.ends_with('\n')) reason.pop_back();
  return make_error(ErrorType::kWorkspaceUnavailable,
                    "the session's directories could not be prepared or removed: " + reason)
      .suggest("check container.workspace_base_dir: its disk, its owner, its mounts")
      .with("key", "container.workspace_base_dir");
}

// All that a short-lived program writes, until it closes its end.
Task<std::string> read_all(asio::posix::stream_descriptor& descriptor) {
  std::string text;
  std::array<char, 1024> buffer{};
  while (text.size() < 4096) {
    const auto [failure, count] =
        co_await descriptor.async_read_some(asio::buffer(buffer), kNoThrow);
    text.append(buffer.data(), count);
    if (failure) break;
  }
  co_return text;
}

std::string program_content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Task<Result<int>> helper_ends(asio::any_io_executor executor, engine::ExitWatch& watch,
                              std::chrono::milliseconds limit) {
  const http::Deadline deadline(executor, limit, [&watch] { watch.close(); });
  auto ended = co_await watch.wait();
  if (ended || !deadline.expired()) co_return ended;
  co_return make_error(ErrorType::kWorkspaceUnavailable,
                       "the session's directories could not be prepared or removed in time")
      .because("acp-workspace-helper did not end in its container within " +
               std::to_string(limit.count()) + " ms")
      .suggest("check that the disk of container.workspace_base_dir answers, and the Engine's load")
      .with("key", "container.workspace_base_dir")
      .retryable();
}

Error Workspaces::too_large_to_fork() const {
  return make_error(ErrorType::kWorkspaceUnavailable, "the session's directories have more than " +
                                                          std::to_string(options_->max_fork_bytes) +
                                                          " bytes")
      .because("a fork in a container gets a copy of its session's workspace and home")
      .suggest("raise container.max_fork_bytes, or remove what the agent does not need there")
      .with("limit_bytes", static_cast<std::int64_t>(options_->max_fork_bytes))
      .with("key", "container.max_fork_bytes");
}

Task<Result<void>> Workspaces::run_helper(HelperTask task, bool as_root) {
  const bool as_process = !as_root || ::geteuid() == 0;
  auto running = as_process ? run_helper_process(std::move(task.arguments))
                            : run_helper_container(std::move(task));
  const auto ended = co_await std::move(running);
  if (!ended) co_return ended.error();
  if (ended->code == 0) co_return Result<void>();
  if (ended->code == kTooLarge) co_return too_large_to_fork();
  co_return helper_failed(ended->said.empty()
                              ? "acp-workspace-helper ended with " + std::to_string(ended->code)
                              : ended->said);
}

Task<Result<Workspaces::HelperEnd>> Workspaces::run_helper_process(
    std::vector<std::string> arguments) {
  SpawnRequest request;
  request.command = options_->helper_program;
  request.args = std::move(arguments);
  request.working_directory = "/";
  Result<ChildProcess> child = spawn(request);
  if (!child) {
    Error error = std::move(child.error());
    error.type = ErrorType::kWorkspaceUnavailable;
    error.suggested_actions = {"install acp-workspace-helper beside acp-relay"};
    co_return error;
  }
  // A caller that is cancelled ends the program and reaps it; its own setting is put back.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::posix::stream_descriptor errors(executor_, child->errors.release());
  asio::posix::stream_descriptor end(executor_, child->pidfd.release());
  const std::string said = co_await read_all(errors);
  siginfo_t how = {};
  while (::waitid(P_PID, static_cast<id_t>(child->pid), &how, WEXITED | WNOHANG) == 0 &&
         how.si_pid == 0) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) ::kill(child->pid, SIGKILL);
    co_await end.async_wait(asio::posix::stream_descriptor::wait_read, kNoThrow);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (how.si_code != CLD_EXITED) co_return helper_failed("acp-workspace-helper was ended");
  co_return HelperEnd{how.si_status, said};
}

Task<Result<Workspaces::HelperEnd>> Workspaces::run_helper_container(HelperTask task) {
  const std::string program = program_content(options_->helper_program);
  if (program.empty()) co_return helper_failed("cannot read " + options_->helper_program);
  const std::string name = "acp-relay-helper-" + random_hex(8);
  const auto made = co_await maker_.create(name, helper_spec(*options_, instance_, task), "");
  if (!made) {
    // It may exist nevertheless.
    const auto undone = co_await engine_.remove(name);
    if (!undone) log_.warn("a helper container may be left", {{"container", name}});
    co_return made.error();
  }
  Result<int> ended = 0;
  const std::string inside(kHelperProgram.substr(1));
  Result<void> ready = co_await engine_.put_program(*made, "/", inside, program);
  if (ready) {
    auto watch = co_await engine_.watch_exit(*made);
    if (watch) {
      ready = co_await engine_.start(*made);
      if (ready) ended = co_await helper_ends(executor_, *watch, limit_of(task));
    } else {
      ready = watch.error();
    }
  }
  const auto removed = co_await engine_.remove(*made);
  if (!removed) log_.warn("a helper container is left", {{"container", name}});
  if (!ready) co_return ready.error();
  if (!ended) co_return ended.error();
  co_return HelperEnd{*ended, {}};
}

}  // namespace relay
