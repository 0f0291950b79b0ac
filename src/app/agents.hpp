// The configured agents, each with the backend that starts it.
//
// Containers of all of them share one DockerHost. The default agent may fall back to processes
// where the configuration allows it; a further agent never does: what it says about its isolation
// holds.
#pragma once

#include "backend/agent_backend.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/docker_host.hpp"
#include "backend/process/process_backend.hpp"
#include "base/blocking_calls.hpp"
#include "config/config.hpp"
#include "egress/broker.hpp"
#include "session/agent_catalogue.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace relay::app {

// The program that makes and removes the directories of sessions: it lies beside the relay.
std::string workspace_helper();
// The first process of containers whose agents have a way out: it lies there, too.
std::string agent_init();

struct AgentsContext {
  asio::any_io_executor executor;
  std::string instance;  // names this relay across its runs
  KeepOfSession keep;
  std::function<std::string(std::string)> redact;
  Logger log;
  engine::CallObserver observe_engine = {};  // told of every call to the Engine; may be empty
  // Takes one to redact, the next one of its place; may be empty.
  std::function<void(const std::string& place, const std::string& secret)> keep_secret = {};
  egress::Broker::Observer observe_requests = {};  // of agents to upstreams; may be empty
  egress::SpentBefore spent_before = {};           // may be empty
};

// An agent that is started in another way when take() has been called.
struct AgentChange {
  std::string name;  // empty: the default agent
  std::function<void()> take;
};

class Agents {
 public:
  // Looks at the Engine when an agent needs it. Whatever it answers, shut_down() has to be called.
  Task<Result<void>> open(const config::Config& config, AgentsContext context);
  Task<void> shut_down();

  // What another configuration with the same agents changes of their starts: checked as open()
  // does, images pulled, and nothing changed before AgentChange::take. An error names the agent.
  Task<Result<std::vector<AgentChange>>> prepare(config::Config running, config::Config next);

  AgentBackend& standard() const { return backend_of(standard_); }
  // Those beside the default one.
  std::vector<AgentEntry> others(const config::Config& config) const;

  // Why sessions can't be made now, each reason once.
  std::vector<ErrorType> unavailable() const;
  // The same of the default agent, asked of who knows; takes seconds where they don't answer.
  Task<std::optional<ErrorType>> examine() const;

  // What is known of a session's use of upstreams.
  egress::SpentByUpstream spent(const SessionId& session) const;
  // Of agents to the relay, for upstreams.
  std::size_t connections() const { return broker_ ? broker_->connections() : 0; }

  // Whether any agent does.
  bool uses_engine() const { return host_ != nullptr; }
  // Of the Engine that the default agent uses; empty: it runs as processes.
  const std::string& engine() const { return engine_; }
  // How connections of its containers reach the relay: "unix" or "stdio".
  std::string_view carrier() const { return carrier_; }
  // Set when processes stand in for containers.
  const std::string& no_containers_because() const { return no_containers_because_; }

 private:
  using Container = std::unique_ptr<DockerBackend>;
  using Process = std::unique_ptr<ProcessBackend>;
  using Backend = std::variant<Process, Container>;

  static AgentBackend& backend_of(const Backend& backend);
  void open_broker(const config::Config& config);
  Task<Result<void>> open_standard(const config::Config& config);
  Task<Result<Container>> open_container(const config::Config& config, Logger log);
  Process open_process(const config::Config& config, Logger log);
  ProcessOptions options_of_process(const config::Config& config) const;
  Task<Result<std::function<void()>>> prepare_process(ProcessBackend& backend,
                                                      config::Config config);
  Task<Result<std::function<void()>>> prepare_container(DockerBackend& backend,
                                                        config::Config config);

  std::optional<AgentsContext> context_;
  std::optional<BlockingCalls> calls_;
  std::unique_ptr<egress::Broker> broker_;
  std::unique_ptr<DockerHost> host_;
  std::optional<Error> no_host_because_;
  bool host_is_used_ = false;
  Backend standard_;             // empty: it was not opened
  std::vector<Backend> others_;  // in the order of the configuration
  std::string engine_;
  std::string_view carrier_ = "unix";
  std::string no_containers_because_;
};

}  // namespace relay::app
