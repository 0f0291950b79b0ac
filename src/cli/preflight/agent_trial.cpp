#include "cli/preflight/agent_trial.hpp"

#include "app/agents.hpp"
#include "app/settings.hpp"
#include "app/startup_lines.hpp"
#include "backend/docker/container_spec.hpp"
#include "backend/docker/docker_host.hpp"
#include "backend/docker/workspaces.hpp"
#include "base/random_id.hpp"
#include "metrics/metrics.hpp"
#include "session/conversation.hpp"
#include "storage/message_log.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <variant>

namespace relay::cli::preflight {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

// For the Engine, beside what the agent is given: looking at the image, and the end.
constexpr std::chrono::seconds kEngineTakes(30);
constexpr std::chrono::seconds kClearingTakes(15);
// No agent has anything to save yet.
constexpr std::chrono::milliseconds kGrace(1'000);

const config::NamedAgentConfig* named(const config::Config& config, const std::string& agent) {
  const auto found = std::ranges::find(config.agents, agent, &config::NamedAgentConfig::name);
  return found == config.agents.end() ? nullptr : &*found;
}

void leave_nothing(config::ContainerConfig& container) {
  container.pull_policy = config::PullPolicy::kNever;
  container.auto_remove = true;
}

// The configuration with this agent alone. A further one keeps a default one beside it, which is
// never started.
config::Config alone(config::Config config, const std::string& agent) {
  if (const config::NamedAgentConfig* const found = named(config, agent)) {
    config::NamedAgentConfig one = *found;
    leave_nothing(one.container);
    config.container.enabled = false;
    config.agents = {std::move(one)};
  } else {
    config.agents.clear();
  }
  leave_nothing(config.container);
  return config;
}

class Trial {
 public:
  Trial(asio::any_io_executor executor, config::Config config, std::string agent,
        std::shared_ptr<const SecretRedactor> redactor)
      : executor_(executor),
        config_(std::move(config)),
        agent_(std::move(agent)),
        redactor_(std::move(redactor)),
        nobody_aborts_(std::move(executor)) {
    const config::NamedAgentConfig* const one = named(config_, agent_);
    const config::Config own = one != nullptr ? app::config_of(config_, *one) : config_;
    is_contained_ = own.container.enabled;
    container_ = app::container_options(own, app::workspace_helper());
    command_ = app::command_line(own.agent);
    if (command_.empty()) command_ = "the built-in demo agent";
    result_.isolation = is_contained_ ? Isolation::kContainer : Isolation::kProcess;
    result_.answer = make_error(ErrorType::kAgentConnectionTimeout,
                                "the agent did not come up in time, and was given up")
                         .because("the Docker Engine, or the machine, is busy")
                         .suggest("try again; docker info shows whether the Engine answers");
  }

  Task<void> run() {
    const auto began = std::chrono::steady_clock::now();
    app::AgentsContext context{executor_, instance_, {}, {}, Logger::silent()};
    context.keep = [](SessionId) -> Task<Keep> { co_return Keep::kNothing; };
    context.redact = [redactor = redactor_](std::string text) { return redactor->redacted(text); };
    auto opened = co_await agents_.open(config_, std::move(context));
    if (!opened) {
      result_.answer = opened.error();
      co_return;
    }
    const auto others = agents_.others(config_);
    AgentBackend& backend = others.empty() ? agents_.standard() : others.front().backend;
    result_.isolation = backend.isolation();
    result_.no_containers_because = agents_.no_containers_because();
    SessionOptions options = others.empty() ? app::session_options(config_, backend.isolation())
                                            : others.front().options;
    options.stop_grace = std::min(options.stop_grace, kGrace);
    const auto log = storage::make_null_log();
    const SessionContext session{executor_, backend,          *log,    metrics_,
                                 ids_,      Logger::silent(), options, redactor_};
    Greeting greeting;
    greeting.client_capabilities = options.client_capabilities;
    result_.answer = co_await introduce(session, std::move(greeting), nobody_aborts_);
    result_.took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
  }

  Task<AgentTrial> end() {
    co_await agents_.shut_down();
    if (is_contained_ && !result_.answer) co_await sweep();
    result_.program =
        result_.isolation == Isolation::kContainer ? "image " + container_.image : command_;
    co_return result_;
  }

 private:
  // What was cut off in the middle is found as a relay finds what its earlier run left.
  Task<void> sweep() {
    result_.left_by = std::string(kInstanceLabel) + "=" + instance_;
    auto removing = remove_leftovers();
    auto clock = sleep_for(kClearingTakes);
    const auto first = co_await (std::move(removing) || std::move(clock));
    const bool is_clear = first.index() == 0 && std::get<0>(first).has_value();
    if (is_clear) result_.left_by.clear();
    if (host_) co_await host_->shut_down();
  }

  Task<Result<void>> remove_leftovers() {
    container_.auto_remove = true;
    auto host = co_await DockerHost::open(executor_, container_, instance_, Logger::silent());
    if (!host) co_return host.error();
    host_ = std::move(*host);
    shared_ = std::make_shared<const ContainerOptions>(container_);
    workspaces_.emplace(executor_, shared_, host_->engine, host_->maker, instance_, host_->going,
                        Logger::silent());
    const KeepOfSession keep = [](SessionId) -> Task<Keep> { co_return Keep::kNothing; };
    const auto left = co_await host_->find_leftovers(container_, *workspaces_, keep);
    if (!left) co_return left.error();
    for (const Leftovers::Container& container : left->containers) {
      const auto removed = co_await host_->engine.remove(container.id);
      if (!removed) co_return removed;
    }
    for (const SessionId& session : left->directories) {
      const auto removed = co_await workspaces_->remove(session);
      if (!removed) co_return removed;
    }
    co_return Result<void>();
  }

  asio::any_io_executor executor_;
  config::Config config_;
  std::string agent_;
  std::shared_ptr<const SecretRedactor> redactor_;
  // No relay's: what runs with this database or these directories is not touched.
  const std::string instance_ = random_hex(16);
  bool is_contained_ = false;
  ContainerOptions container_;
  SharedContainerOptions shared_;  // the same, of workspaces_
  std::string command_;
  Metrics metrics_;
  RequestIds ids_;
  Event nobody_aborts_;
  app::Agents agents_;
  std::unique_ptr<DockerHost> host_;  // for what is left
  std::optional<Workspaces> workspaces_;
  AgentTrial result_;
};

}  // namespace

std::chrono::milliseconds trial_limit(const config::Config& config, const std::string& agent) {
  const config::NamedAgentConfig* const one = named(config, agent);
  const config::ContainerConfig& container = one != nullptr ? one->container : config.container;
  const config::AgentConfig& process = one != nullptr ? one->agent : config.agent;
  const auto startup = container.enabled ? container.startup_timeout : process.startup_timeout;
  return startup + (container.enabled ? kEngineTakes : std::chrono::seconds(0)) + kClearingTakes;
}

Task<AgentTrial> try_agent(asio::any_io_executor executor, config::Config config, std::string agent,
                           std::shared_ptr<const SecretRedactor> redactor) {
  const auto limit = trial_limit(config, agent);
  // A cancelled caller still gets everything cleared up.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  config::Config one = alone(std::move(config), agent);
  Trial trial(executor, std::move(one), std::move(agent), std::move(redactor));
  TaskScope scope(executor, ignore_failure);
  scope.spawn("try an agent", [&trial] { return trial.run(); });
  auto ended = scope.join();
  auto clock = sleep_for(limit);
  co_await (std::move(ended) || std::move(clock));
  const auto state = co_await asio::this_coro::cancellation_state;
  // Before the end, which waits for others and has their waits forget it.
  const bool was_interrupted = is_cancelled(state);
  AgentTrial result = co_await trial.end();
  result.was_interrupted = was_interrupted;
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result;
}

}  // namespace relay::cli::preflight
