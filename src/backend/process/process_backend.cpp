#include "backend/process/process_backend.hpp"

#include "backend/process/leftovers.hpp"
#include "backend/process/process_agent.hpp"

#include <filesystem>
#include <unistd.h>

namespace relay {

namespace {

std::string current_directory() {
  std::error_code failure;
  const std::filesystem::path path = std::filesystem::current_path(failure);
  return failure ? "/" : path.string();
}

// Fills in `environment` where it leads. Null: the agent has no upstreams.
Task<Result<std::shared_ptr<const void>>> open_way_out(const SessionId& session,
                                                       const ProcessOptions& options,
                                                       EnvironmentList& environment) {
  if (options.upstreams.empty() || options.broker == nullptr) {
    co_return std::shared_ptr<const void>();
  }
  const auto recalled = co_await options.broker->recall(session);
  if (!recalled) co_return recalled.error();
  Result<egress::LoopbackWay> way = options.broker->open_loopback(session, {options.upstreams, {}});
  if (!way) co_return way.error();
  for (auto& [name, value] : environment) value = egress::filled_in(value, way->address);
  co_return std::move(way->open);
}

}  // namespace

ProcessBackend::ProcessBackend(asio::any_io_executor executor, ProcessOptions options, Logger log)
    : executor_(std::move(executor)),
      options_(std::make_shared<const ProcessOptions>(std::move(options))),
      inherited_(inherited_environment(::environ)),
      mark_(options_->instance.empty()
                ? EnvironmentList()
                : EnvironmentList{{std::string(kAgentMark), agent_mark(options_->instance)}}),
      working_directory_(options_->working_directory.empty() ? current_directory()
                                                             : options_->working_directory),
      calls_(executor_),
      scratch_(std::make_shared<ScratchBuffer>()),
      unreaped_(std::make_shared<UnreapedChildren>()),
      log_(std::move(log)) {}

Task<Result<std::unique_ptr<Agent>>> ProcessBackend::launch(LaunchSpec spec) {
  const SharedOptions options = options_;
  SpawnRequest request;
  request.command = options->command;
  request.args = options->args;
  EnvironmentList configured = options->env;
  const Result<std::shared_ptr<const void>> way_out =
      co_await open_way_out(spec.session, *options, configured);
  if (!way_out) co_return way_out.error();
  request.environment =
      merge_environments(merge_environments(inherited_, configured, spec.environment), mark_, {});
  request.working_directory =
      spec.working_directory.empty() ? working_directory_ : spec.working_directory;
  // A client names the directory; it may lie where no server answers.
  const auto began = std::chrono::steady_clock::now();
  const std::function<Result<std::string>()> check = [request] { return check_request(request); };
  const Result<std::string> file = co_await calls_.run(request.working_directory, check);
  if (!file) co_return file.error();
  Result<ChildProcess> child = spawn_checked(request, *file, *unreaped_);
  if (!child) co_return std::move(child.error());
  const LaunchTimes times{{}, {}, std::chrono::steady_clock::now() - began};

  Logger log = log_.with("session", spec.session.value());
  log.debug("agent started", {{"pid", child->pid}});
  auto running = std::make_shared<RunningChild>(executor_, std::move(*child), options, scratch_,
                                                unreaped_, std::move(log));
  running->way_out = *way_out;
  std::unique_ptr<Agent> agent = std::make_unique<ProcessAgent>(
      std::move(running), std::move(request.working_directory), times);
  co_return Result<std::unique_ptr<Agent>>(std::move(agent));
}

Task<Result<std::string>> ProcessBackend::find_program(SharedOptions options) {
  SpawnRequest request;
  request.command = options->command;
  request.working_directory = working_directory_;
  request.environment = merge_environments(inherited_, options->env, {});
  const std::function<Result<std::string>()> check = [request] { return check_request(request); };
  auto file = co_await calls_.run(request.working_directory, check);
  co_return file;
}

Task<std::optional<Error>> ProcessBackend::examine() {
  const auto file = co_await find_program(options_);
  if (!file) co_return file.error();
  co_return std::nullopt;
}

Task<Result<ProcessBackend::SharedOptions>> ProcessBackend::prepare(ProcessOptions options) {
  SharedOptions prepared = std::make_shared<const ProcessOptions>(std::move(options));
  const auto file = co_await find_program(prepared);
  if (!file) co_return file.error();
  co_return prepared;
}

Task<Result<Reattachment>> ProcessBackend::reattach(SessionId session, OutputPosition) {
  co_return make_error(ErrorType::kRelayRestarted,
                       "the relay was restarted, and agents that run as processes end with it")
      .suggest("read what was said with session/resume")
      .suggest("go on in a session of its own made with session/new")
      .suggest("set container.enabled: true for agents that outlive the relay")
      .with("session", session.value())
      .retryable();
}

}  // namespace relay
