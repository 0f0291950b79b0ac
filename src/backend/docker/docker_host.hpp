// The Engine, as all container backends of one relay share it: one connection, one stream of
// events, one limit of starts at a time, one look at what an earlier run left.
//
// Outlives the backends that use it. Call shut_down() before destroying it.
#pragma once

#include "backend/docker/container_maker.hpp"
#include "backend/docker/container_options.hpp"
#include "backend/docker/engine_events.hpp"
#include "backend/docker/start_limiter.hpp"
#include "backend/docker/workspaces.hpp"
#include "base/async.hpp"
#include "base/log.hpp"
#include "base/strong_id.hpp"
#include "egress/broker.hpp"
#include "engine/client.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace relay {

// What is to be kept of a session of an earlier run.
enum class Keep {
  kNothing,
  kDirectories,
  kUnknown,  // its directories, as nobody's: no relay removes them any more
  kAgent,    // its container and its directories
};
using KeepOfSession = std::function<Task<Keep>(SessionId)>;

// What an earlier run left and no session needs.
struct Leftovers {
  struct Container {
    std::string id;
    std::string name;
    std::optional<SessionId> session;  // none: it is no agent's
  };
  std::vector<Container> containers;
  // Sessions whose directories are to go, which Workspaces::is_going() tells from here on.
  std::vector<SessionId> directories;
};

// "Docker 20.10.24 (API 1.41) at unix:///var/run/docker.sock"
std::string engine_description(const engine::EngineVersion& version, const std::string& address);

class DockerHost {
 public:
  // Connects; of `options` it takes what is one setting for all containers. `instance` names this
  // relay across its runs. `observe` is told of every call to the Engine. Nothing is left running
  // on failure.
  static Task<Result<std::unique_ptr<DockerHost>>> open(asio::any_io_executor executor,
                                                        const ContainerOptions& options,
                                                        std::string instance, Logger logger,
                                                        engine::CallObserver observe = {});

  // Not connected: for open(), and for tests.
  DockerHost(asio::any_io_executor executor_of_all, http::Endpoint endpoint,
             std::string instance_id, std::size_t starts_at_once, Logger logger,
             engine::CallObserver observe = {});

  // Containers and directories with this relay's instance that no session of it needs, the first
  // time it is called; they are the caller's to remove, containers first. What a killed relay had
  // not ended to make or to remove is removed here, for it is next to nothing.
  Task<Result<Leftovers>> find_leftovers(const ContainerOptions& options, Workspaces& workspaces,
                                         KeepOfSession keep);

  // Says once what several agents may have in common.
  void warn_once(const std::string& warning);

  Task<void> shut_down();

  // engine_description(), for the start-up lines.
  const std::string& description() const { return description_; }
  bool is_podman() const { return podman_; }
  const engine::EngineInfo& info() const { return info_; }

  const asio::any_io_executor executor;
  const std::string instance;
  const Logger log;
  engine::EngineClient engine;
  ContainerMaker maker;
  EngineEvents events;
  StartLimiter starts;
  // Sessions of any backend of which something is there: a container, or what makes or removes one,
  // or who removes directories. Changed by DockerContext::arrive() and depart() alone.
  std::map<SessionId, std::shared_ptr<Event>> present;
  // Sessions whose directories are to go and are not gone. Changed by Workspaces alone.
  std::set<SessionId> going;
  // Of agents that have a way out; null: none has. Outlives the backends.
  egress::Broker* broker = nullptr;

 private:
  Task<Result<void>> connect();

  std::string description_;
  bool podman_ = false;
  engine::EngineInfo info_;
  bool looked_for_leftovers_ = false;
  std::set<std::string> warned_;
  TaskScope following_;
};

}  // namespace relay
