#include "app/agents.hpp"

#include "app/egress_broker.hpp"
#include "app/mounts.hpp"
#include "app/settings.hpp"
#include "base/random_id.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace relay::app {
namespace {

constexpr std::size_t kTokenStartBytes = 16;

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

// Whether the next start of an agent is the same under both.
bool start_alike(const config::Config& one, const config::Config& other) {
  return one.container == other.container && one.agent.command == other.agent.command &&
         one.agent.args == other.agent.args && one.agent.env == other.agent.env &&
         one.agent.max_stderr_bytes == other.agent.max_stderr_bytes;
}

bool needs_engine(const config::Config& config) {
  return config.container.enabled ||
         std::any_of(config.agents.begin(), config.agents.end(),
                     [](const config::NamedAgentConfig& agent) { return agent.container.enabled; });
}

}  // namespace

std::string agent_init() { return beside_the_relay("acp-agent-init").string(); }

std::string workspace_helper() { return beside_the_relay("acp-workspace-helper").string(); }

AgentBackend& Agents::backend_of(const Backend& backend) {
  return *std::visit([](const auto& held) -> AgentBackend* { return held.get(); }, backend);
}

Task<Result<void>> Agents::open(const config::Config& config, AgentsContext context) {
  context_ = std::move(context);
  calls_.emplace(context_->executor);
  open_broker(config);
  if (needs_engine(config)) {
    const ContainerOptions options = container_options(config, {});
    auto host = co_await DockerHost::open(context_->executor, options, context_->instance,
                                          context_->log, context_->observe_engine);
    if (host) {
      host_ = std::move(*host);
      host_->broker = broker_.get();
    } else {
      no_host_because_ = host.error();
    }
  }
  const auto opened = co_await open_standard(config);
  if (!opened) co_return opened.error();
  for (const config::NamedAgentConfig& agent : config.agents) {
    const config::Config own = config_of(config, agent);
    const Logger log = context_->log.with("agent", agent.name);
    if (!agent.container.enabled) {
      others_.emplace_back(open_process(own, log));
      continue;
    }
    auto backend = co_await open_container(own, log);
    if (!backend) co_return cannot_run_agent(backend.error(), agent.name);
    others_.emplace_back(std::move(*backend));
    host_is_used_ = true;
  }
  if (host_ && !host_is_used_) {
    co_await host_->shut_down();
    host_.reset();
  }
  co_return Result<void>();
}

void Agents::open_broker(const config::Config& config) {
  if (!needs_broker(config)) return;
  egress::BrokerOptions options = broker_options(config);
  options.token_start = random_hex(kTokenStartBytes);
  if (context_->keep_secret) context_->keep_secret("tokens of agents", options.token_start);
  options.keep_secret = context_->keep_secret;
  options.spent_before = context_->spent_before;
  broker_ = std::make_unique<egress::Broker>(context_->executor, std::move(options),
                                             context_->observe_requests, context_->log);
}

Task<Result<void>> Agents::open_standard(const config::Config& config) {
  if (config.container.enabled) {
    auto opened = co_await open_container(config, context_->log);
    if (opened) {
      engine_ = host_->description();
      carrier_ = (*opened)->carrier();
      host_is_used_ = true;
      standard_ = std::move(*opened);
      co_return Result<void>();
    }
    if (config.container.required || config.agent.command.empty()) {
      co_return cannot_use_containers(opened.error(), config.container.required);
    }
    no_containers_because_ = opened.error().explanation;
    context_->log.warn("containers are not used, agents run as processes with this user's rights",
                       {{"key", "container.enabled"}, {"reason", no_containers_because_}});
  }
  standard_ = open_process(config, context_->log);
  co_return Result<void>();
}

ProcessOptions Agents::options_of_process(const config::Config& config) const {
  ProcessOptions options = process_options(config, demo_agent_path());
  options.redact = context_->redact;
  options.instance = context_->instance;
  options.broker = broker_.get();
  return options;
}

Agents::Process Agents::open_process(const config::Config& config, Logger log) {
  return std::make_unique<ProcessBackend>(context_->executor, options_of_process(config),
                                          std::move(log));
}

Task<Result<Agents::Container>> Agents::open_container(const config::Config& config, Logger log) {
  if (!host_) co_return *no_host_because_;
  if (auto failure = dangerous_mount(config, host_->engine.socket_path())) co_return *failure;
  ContainerOptions options = container_options(config, workspace_helper());
  options.redact = context_->redact;
  options.egress = container_egress(config, agent_init());
  auto opened =
      co_await DockerBackend::open(*host_, std::move(options), context_->keep, std::move(log));
  co_return opened;
}

Task<Result<std::vector<AgentChange>>> Agents::prepare(config::Config running,
                                                       config::Config next) {
  std::vector<AgentChange> changes;
  for (std::size_t i = 0; i <= others_.size(); ++i) {
    const bool is_standard = i == 0;
    const std::string name = is_standard ? "" : running.agents[i - 1].name;
    const config::Config before = is_standard ? running : config_of(running, running.agents[i - 1]);
    config::Config after = is_standard ? next : config_of(next, next.agents[i - 1]);
    if (start_alike(before, after)) continue;
    const Backend& backend = is_standard ? standard_ : others_[i - 1];
    Result<std::function<void()>> prepared = std::function<void()>();
    if (const auto* const container = std::get_if<Container>(&backend)) {
      prepared = co_await prepare_container(**container, std::move(after));
    } else {
      prepared = co_await prepare_process(*std::get<Process>(backend), std::move(after));
    }
    if (!prepared && is_standard) co_return prepared.error();
    if (!prepared) co_return cannot_run_agent(prepared.error(), name);
    changes.push_back({name, std::move(*prepared)});
  }
  co_return changes;
}

Task<Result<std::function<void()>>> Agents::prepare_process(ProcessBackend& backend,
                                                            config::Config config) {
  const auto prepared = co_await backend.prepare(options_of_process(config));
  if (!prepared) co_return prepared.error();
  co_return std::function<void()>([&backend, options = *prepared] { backend.take(options); });
}

Task<Result<std::function<void()>>> Agents::prepare_container(DockerBackend& backend,
                                                              config::Config config) {
  // The relay serves meanwhile; a mount may lie where no server answers.
  const std::function<Result<void>()> look =
      [config, socket = host_->engine.socket_path()]() -> Result<void> {
    if (auto danger = dangerous_mount(config, socket)) return *danger;
    return {};
  };
  const auto looked = co_await calls_->run("container.extra_volumes", look);
  if (!looked) co_return looked.error();
  ContainerOptions options = container_options(config, workspace_helper());
  options.redact = context_->redact;
  options.egress = container_egress(config, agent_init());
  const auto prepared = co_await backend.prepare(std::move(options));
  if (!prepared) co_return prepared.error();
  co_return std::function<void()>([&backend, options = *prepared] { backend.take(options); });
}

Task<void> Agents::shut_down() {
  const bool is_open =
      std::visit([](const auto& backend) { return backend != nullptr; }, standard_);
  if (is_open) co_await standard().shut_down();
  for (const Backend& backend : others_) co_await backend_of(backend).shut_down();
  if (broker_) co_await broker_->shut_down();
  if (host_) co_await host_->shut_down();
}

std::vector<AgentEntry> Agents::others(const config::Config& config) const {
  std::vector<AgentEntry> entries;
  for (std::size_t i = 0; i < others_.size(); ++i) {
    AgentBackend& backend = backend_of(others_[i]);
    const config::Config own = config_of(config, config.agents[i]);
    entries.push_back({config.agents[i].name, backend, session_options(own, backend.isolation())});
  }
  return entries;
}

egress::SpentByUpstream Agents::spent(const SessionId& session) const {
  return broker_ ? broker_->spent(session) : egress::SpentByUpstream();
}

std::vector<ErrorType> Agents::unavailable() const {
  std::vector<ErrorType> reasons;
  const auto ask = [&reasons](const AgentBackend& backend) {
    if (const auto failure = backend.unavailable()) reasons.push_back(failure->type);
  };
  ask(standard());
  for (const Backend& backend : others_) ask(backend_of(backend));
  return reasons;
}

Task<std::optional<ErrorType>> Agents::examine() const {
  const auto failure = co_await standard().examine();
  co_return failure ? std::optional(failure->type) : std::nullopt;
}

}  // namespace relay::app
