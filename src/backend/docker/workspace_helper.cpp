// Running acp-workspace-helper: as a child process, or as root in a container.
#include "backend/docker/workspaces.hpp"
#include "base/random_id.hpp"
#include "http/deadline.hpp"

#include <chrono>
#include <fstream>
#include <unistd.h>

namespace relay {
namespace {

// What acp-workspace-helper ends with when a copy would be larger than allowed.
constexpr int kTooLarge = 3;
// Of what a helper does. A removal that was cut off goes on with the next one.
constexpr std::chrono::seconds kMakes(30);
constexpr std::chrono::minutes kRemoves(5);

std::chrono::milliseconds limit_of(const HelperTask& task) {
  if (task.arguments.front() == "make") return kMakes;
  if (task.arguments.front() == "remove") return kRemoves;
  return std::chrono::milliseconds(0);  // nobody knows how long a copy may take
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
  co_return helper_is_late(limit);
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
  const HelperLimits limits{limit_of(task)};
  auto running = as_process ? run_helper_process(executor_, options_->helper_program,
                                                 std::move(task.arguments), limits, unreaped_)
                            : run_helper_container(std::move(task));
  const auto ended = co_await std::move(running);
  if (!ended) co_return ended.error();
  if (ended->code == 0) co_return Result<void>();
  if (ended->code == kTooLarge) co_return too_large_to_fork();
  co_return helper_failed(ended->said.empty()
                              ? "acp-workspace-helper ended with " + std::to_string(ended->code)
                              : ended->said);
}

Task<Result<HelperEnd>> Workspaces::run_helper_container(HelperTask task) {
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
