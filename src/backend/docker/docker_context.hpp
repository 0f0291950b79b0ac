// What all containers of one configured agent share. One executor, no locks.
//
// Owned by the backend, which joins `background` before it destroys it: coroutines spawned there,
// and agents, may hold a reference.
#pragma once

#include "backend/docker/container_options.hpp"
#include "backend/docker/docker_host.hpp"
#include "backend/docker/workspaces.hpp"
#include "base/async.hpp"
#include "base/log.hpp"
#include "base/strong_id.hpp"

#include <map>
#include <memory>
#include <string>

namespace relay {

class DockerContext {
 public:
  // `shared_host` outlives it.
  DockerContext(DockerHost& shared_host, ContainerOptions container_options, Logger logger);

  // A session's container is about to be made; depart() says that nothing of it is left.
  void arrive(const SessionId& session);
  void depart(const SessionId& session);
  // Returns when it has departed; at once when it never arrived.
  Task<void> departed(SessionId session);

  // Removes the container of a session in the background, again and again while the Engine is away,
  // until it departs. What is still there when the relay ends is found by its next start.
  void discard(const SessionId& session);

  DockerHost& host;
  const asio::any_io_executor executor;
  const ContainerOptions options;
  const Logger log;
  engine::EngineClient& engine;
  EngineEvents& events;
  Workspaces workspaces;
  TaskScope background;

 private:
  Task<void> discard_until_gone(SessionId session);

  std::map<SessionId, std::shared_ptr<Event>> present_;
};

}  // namespace relay
