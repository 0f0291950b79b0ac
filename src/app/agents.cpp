#include "app/agents.hpp"

#include "app/mounts.hpp"
#include "app/settings.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/process/process_backend.hpp"

#include <algorithm>
#include <filesystem>

namespace relay::app {
namespace {

// The relay's other programs lie beside it, in the build as where they are installed.
std::filesystem::path beside_the_relay(const std::string& program) {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? std::filesystem::path(program) : self.parent_path() / program;
}

std::string demo_agent_path() {
  std::error_code failure;
  const auto beside = beside_the_relay("acp-demo-agent");
  return std::filesystem::exists(beside, failure) ? beside.string() : "acp-demo-agent";
}

Error cannot_use_containers(Error error, bool required) {
  error.suggested_actions.emplace_back(
      required ? "set container.required: false and agent.command to run agents as processes"
               : "set agent.command to fall back to processes, which have this user's rights");
  error.suggested_actions.emplace_back("set container.enabled: false");
  return error;
}

Error cannot_run_agent(Error error, const std::string& name) {
  error.explanation = "the agent " + name + " can't be used: " + error.explanation;
  error.suggested_actions.push_back("keys of container stand for those of agents." + name +
                                    ", where it has its own");
  error.suggested_actions.push_back("remove agents." + name + ", or set agents." + name +
                                    ".isolation: process");
  error.state.emplace_back("agent", name);
  return error;
}

std::unique_ptr<AgentBackend> open_process(const config::Config& config,
                                           const AgentsContext& context, Logger log) {
  ProcessOptions options = process_options(config, demo_agent_path());
  options.redact = context.redact;
  options.instance = context.instance;
  return std::make_unique<ProcessBackend>(context.executor, std::move(options), std::move(log));
}

bool needs_engine(const config::Config& config) {
  return config.container.enabled ||
         std::any_of(config.agents.begin(), config.agents.end(),
                     [](const config::NamedAgentConfig& agent) { return agent.container.enabled; });
}

}  // namespace

std::string workspace_helper() { return beside_the_relay("acp-workspace-helper").string(); }

Task<Result<void>> Agents::open(const config::Config& config, AgentsContext context) {
  if (needs_engine(config)) {
    const ContainerOptions options = container_options(config, {});
    auto host = co_await DockerHost::open(context.executor, options, context.instance, context.log,
                                          context.observe_engine);
    if (host) {
      host_ = std::move(*host);
    } else {
      no_host_because_ = host.error();
    }
  }
  const auto opened = co_await open_standard(config, context);
  if (!opened) co_return opened.error();
  for (const config::NamedAgentConfig& agent : config.agents) {
    const config::Config own = config_of(config, agent);
    const Logger log = context.log.with("agent", agent.name);
    if (!agent.container.enabled) {
      others_.push_back(open_process(own, context, log));
      continue;
    }
    auto backend = co_await open_container(own, context, log);
    if (!backend) co_return cannot_run_agent(backend.error(), agent.name);
    others_.push_back(std::move(*backend));
    host_is_used_ = true;
  }
  if (host_ && !host_is_used_) {
    co_await host_->shut_down();
    host_.reset();
  }
  co_return Result<void>();
}

Task<Result<void>> Agents::open_standard(const config::Config& config,
                                         const AgentsContext& context) {
  if (config.container.enabled) {
    auto opened = co_await open_container(config, context, context.log);
    if (opened) {
      engine_ = host_->description();
      host_is_used_ = true;
      standard_ = std::move(*opened);
      co_return Result<void>();
    }
    if (config.container.required || config.agent.command.empty()) {
      co_return cannot_use_containers(opened.error(), config.container.required);
    }
    no_containers_because_ = opened.error().explanation;
    context.log.warn("containers are not used, agents run as processes with this user's rights",
                     {{"key", "container.enabled"}, {"reason", no_containers_because_}});
  }
  standard_ = open_process(config, context, context.log);
  co_return Result<void>();
}

Task<Result<std::unique_ptr<AgentBackend>>> Agents::open_container(const config::Config& config,
                                                                   const AgentsContext& context,
                                                                   Logger log) {
  if (!host_) co_return *no_host_because_;
  if (auto failure = dangerous_mount(config, host_->engine.socket_path())) co_return *failure;
  ContainerOptions options = container_options(config, workspace_helper());
  options.redact = context.redact;
  auto opened =
      co_await DockerBackend::open(*host_, std::move(options), context.keep, std::move(log));
  if (!opened) co_return opened.error();
  std::unique_ptr<AgentBackend> backend = std::move(*opened);
  co_return std::move(backend);
}

Task<void> Agents::shut_down() {
  if (standard_) co_await standard_->shut_down();
  for (const auto& backend : others_) co_await backend->shut_down();
  if (host_) co_await host_->shut_down();
}

std::vector<AgentEntry> Agents::others(const config::Config& config) const {
  std::vector<AgentEntry> entries;
  for (std::size_t i = 0; i < others_.size(); ++i) {
    AgentBackend& backend = *others_[i];
    const config::Config own = config_of(config, config.agents[i]);
    entries.push_back({config.agents[i].name, backend, session_options(own, backend.isolation())});
  }
  return entries;
}

std::vector<ErrorType> Agents::unavailable() const {
  std::vector<ErrorType> reasons;
  const auto ask = [&reasons](const AgentBackend& backend) {
    if (const auto failure = backend.unavailable()) reasons.push_back(failure->type);
  };
  ask(*standard_);
  for (const auto& backend : others_) ask(*backend);
  return reasons;
}

Task<std::optional<ErrorType>> Agents::examine() const {
  const auto failure = co_await standard_->examine();
  co_return failure ? std::optional(failure->type) : std::nullopt;
}

}  // namespace relay::app
