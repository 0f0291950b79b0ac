#include "cli/preflight/examination.hpp"

#include "app/agents.hpp"
#include "app/settings.hpp"
#include "base/blocking_calls.hpp"
#include "cli/preflight/agent_trial.hpp"
#include "cli/preflight/engine_rules.hpp"
#include "cli/preflight/engine_surroundings.hpp"
#include "cli/preflight/listening.hpp"
#include "cli/preflight/machine_facts.hpp"
#include "cli/preflight/place_rules.hpp"
#include "cli/preflight/workspace_base.hpp"
#include "config/print.hpp"
#include "engine/address.hpp"
#include "engine/client.hpp"
#include "protocol/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

namespace relay::cli::preflight {
namespace {

const engine::EngineOptions kEngineLimits{std::chrono::seconds(5), std::chrono::seconds(5), {}};

// One configured agent, with what it inherits.
struct Configured {
  std::string name;    // empty: the default one
  std::string prefix;  // of its findings
  config::Config config;
};

std::vector<Configured> agents_of(const config::Config& config) {
  std::vector<Configured> agents{{"", "", config}};
  for (const config::NamedAgentConfig& agent : config.agents) {
    agents.push_back({agent.name, "agents." + agent.name + ".", app::config_of(config, agent)});
  }
  return agents;
}

Finding without(std::string name, const std::string& what) {
  return {std::move(name), Verdict::kSkipped, "not looked at without " + what};
}

class Examination {
 public:
  Examination(asio::any_io_executor executor, config::Config config, Audience audience)
      : executor_(std::move(executor)),
        config_(std::move(config)),
        redactor_(std::make_shared<const SecretRedactor>(config::secrets(config_))),
        audience_(std::move(audience)),
        calls_(executor_),
        agents_(agents_of(config_)) {}

  Task<void> run() {
    tell(clock_finding(clock_facts()));
    tell(open_files_finding({most_open_files(), config_.agent.max_concurrent_sessions,
                             config_.server.max_connections}));
    co_await look_where_it_listens();
    const bool needs_engine = std::ranges::any_of(
        agents_, [](const Configured& agent) { return agent.config.container.enabled; });
    if (needs_engine) co_await look_at_engine();
    look_at_memory();
    if (needs_engine) co_await look_at_workspaces();
    for (const Configured& agent : agents_) co_await look_at_agent(agent);
  }

 private:
  void tell(Finding finding) {
    const auto clean = [this](std::string& text) { text = redactor_->redacted(text); };
    clean(finding.told);
    std::ranges::for_each(finding.causes, clean);
    std::ranges::for_each(finding.remedies, clean);
    audience_.tell(std::move(finding));
  }

  // `look` runs on another thread, and owns what it touches.
  template <class T>
  Task<Result<T>> look(std::string path, std::function<T()> body) {
    std::function<Result<T>()> call = [body = std::move(body)] { return Result<T>(body()); };
    auto answer = co_await calls_.run(std::move(path), std::move(call));
    co_return answer;
  }

  Task<void> look_where_it_listens() {
    std::vector<PortFacts> ports = port_facts(executor_, config_);
    for (PortFacts& port : ports) {
      if (!port.failure) continue;
      const std::function<std::optional<Listener>()> find = [number = port.port] {
        return port_owner(number);
      };
      auto owner = co_await look("/proc", find);
      if (owner) port.taken = *owner;
    }
    const std::string path = config_.database.path;
    const std::function<DatabaseFacts()> open = [settings = config_.database] {
      return database_facts(settings);
    };
    auto looked = co_await look(path, open);
    DatabaseFacts database{true, path, true, std::nullopt, 0};
    if (looked) {
      database = std::move(*looked);
    } else {
      database.failure = looked.error();
    }
    const pid_t relay = running_relay(ports, database);
    for (const PortFacts& port : ports) tell(port_finding(port, relay));
    tell(database_finding(database, relay));
    if (!database.enabled || database.failure) co_return;
    co_await look_at_disk("disk.database", path, "the database", "database.path");
  }

  Task<void> look_at_disk(std::string name, std::string path, std::string what, std::string key) {
    const std::function<std::optional<DiskFacts>()> measure = [path, what, key] {
      return disk_facts(path, what, key);
    };
    auto disk = co_await look(path, measure);
    if (!disk) {
      tell(bad(std::move(name), disk.error()));
    } else if (*disk) {
      tell(disk_finding(std::move(name), **disk));
    }
  }

  Task<void> look_at_engine() {
    audience_.progress("asking the Docker Engine");
    auto endpoint = engine::engine_address(engine::address_sources(config_.container.docker_host));
    const std::string nowhere;
    if (!endpoint) co_return co_await engine_is_missing(endpoint.error(), nowhere);
    is_local_ = !endpoint->socket_path.empty();
    const std::string socket = endpoint->socket_path;
    auto client =
        std::make_unique<engine::EngineClient>(executor_, std::move(*endpoint), kEngineLimits);
    auto version = co_await client->connect();
    if (!version) co_return co_await engine_is_missing(version.error(), socket);
    auto info = co_await client->info();
    if (!info) co_return co_await engine_is_missing(info.error(), socket);
    tell(engine_finding(engine_description(*version, client->address()), *info, network_modes()));
    info_ = std::move(*info);
    engine_ = std::move(client);
    if (!is_local_ || info_->docker_root_dir.empty()) {
      tell({"disk.images", Verdict::kSkipped, "it is on the Engine's host, not here"});
      co_return;
    }
    co_await look_at_disk("disk.images", info_->docker_root_dir, "images and containers",
                          "data-root in /etc/docker/daemon.json");
  }

  Task<void> engine_is_missing(Error error, std::string socket) {
    const std::function<EngineSurroundings()> look_around = [socket] {
      return engine_surroundings(socket);
    };
    auto around = co_await look(socket, look_around);
    const bool may_fall_back = !config_.container.required && !config_.agent.command.empty() &&
                               std::ranges::none_of(config_.agents, [](const auto& agent) {
                                 return agent.container.enabled;
                               });
    tell(engine_missing(error, around ? *around : EngineSurroundings(),
                        may_fall_back ? Fallback::kProcesses : Fallback::kNone));
  }

  // "none" when no agent has a network.
  std::string network_modes() const {
    for (const Configured& agent : agents_) {
      const std::string& mode = agent.config.container.network_mode;
      if (agent.config.container.enabled && mode != "none" && mode != "host") return mode;
    }
    return "none";
  }

  void look_at_memory() {
    const Memory here = machine_memory();
    for (const Configured& agent : agents_) {
      const bool is_contained = agent.config.container.enabled && info_;
      if (!is_contained && !agent.prefix.empty()) continue;
      const bool is_elsewhere = is_contained && !is_local_;
      MemoryFacts facts;
      facts.where = is_elsewhere ? "the Engine's host" : "this machine";
      facts.total = is_contained ? static_cast<std::uint64_t>(info_->total_memory) : here.total;
      if (!is_elsewhere) facts.available = here.available;
      facts.limit = is_contained ? agent.config.container.memory_limit : 0;
      facts.sessions = config_.agent.max_concurrent_sessions;
      tell(memory_finding(agent.prefix + "memory", facts));
    }
  }

  // One for all agents.
  Task<void> look_at_workspaces() {
    const ContainerOptions options = app::container_options(config_, app::workspace_helper());
    const std::string& base = options.workspace_base_dir;
    base_.emplace(base);
    const std::function<WorkspaceFacts()> visit = [options] { return workspace_facts(options); };
    const auto facts = co_await look(base, visit);
    has_workspaces_ = facts && !facts->failure;
    tell(facts ? workspaces_finding(*facts) : bad("workspaces", facts.error()));
    if (!has_workspaces_) co_return;
    co_await look_at_disk("disk.workspaces", base, "what agents write",
                          "container.workspace_base_dir");
  }

  Task<void> look_at_agent(const Configured& agent) {
    const std::string name = agent.prefix + "agent";
    const config::ContainerConfig& container = agent.config.container;
    if (container.enabled && engine_) {
      const bool is_there = co_await look_at_image(agent);
      if (!is_there) co_return tell(without(name, "its image"));
      if (!has_workspaces_) {
        co_return tell(without(name, "the directory of workspaces"));
      }
    } else if (container.enabled && !falls_back(agent)) {
      co_return tell(without(name, "the Engine"));
    }
    const auto limit = std::chrono::ceil<std::chrono::seconds>(trial_limit(config_, agent.name));
    audience_.progress(fmt::format("starting {} (at most {} s)",
                                   agent.name.empty() ? "the agent" : "the agent " + agent.name,
                                   limit.count()));
    const AgentTrial trial = co_await try_agent(executor_, config_, agent.name, redactor_);
    if (!trial.was_interrupted || !trial.left_by.empty()) tell(agent_finding(name, trial));
    if (trial.was_interrupted) throw_cancelled();
  }

  bool falls_back(const Configured& agent) const {
    return agent.name.empty() && !config_.container.required && !config_.agent.command.empty();
  }

  Task<bool> look_at_image(const Configured& agent) {
    const ContainerOptions options = app::container_options(agent.config, app::workspace_helper());
    tell(limits_finding(agent.prefix + "limits", options, *info_));
    const auto image = co_await engine_->inspect_image(options.image);
    tell(image_finding(agent.prefix + "image", options, image));
    co_return image.has_value();
  }

  asio::any_io_executor executor_;
  config::Config config_;
  std::shared_ptr<const SecretRedactor> redactor_;
  Audience audience_;
  BlockingCalls calls_;
  std::vector<Configured> agents_;
  std::unique_ptr<engine::EngineClient> engine_;  // one that can be used
  std::optional<engine::EngineInfo> info_;
  bool is_local_ = false;
  bool has_workspaces_ = false;
  std::optional<WorkspaceBase> base_;  // as long as agents are tried
};

}  // namespace

Task<void> examine(asio::any_io_executor executor, config::Config config, Audience audience) {
  Examination examination(std::move(executor), std::move(config), std::move(audience));
  co_await examination.run();
}

}  // namespace relay::cli::preflight
