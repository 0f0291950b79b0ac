// What all containers of one configured agent share. One executor, no locks.
//
// Owned by the backend, which joins `background` before it destroys it: coroutines spawned there,
// and agents, may hold a reference.
#pragma once

#include "backend/docker/container_options.hpp"
#include "backend/docker/docker_host.hpp"
#include "backend/docker/workspaces.hpp"
#include "base/async.hpp"
#include "base/blocking_calls.hpp"
#include "base/log.hpp"
#include "base/strong_id.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace relay {

class DockerContext {
 public:
  // `shared_host` outlives it.
  DockerContext(DockerHost& shared_host, ContainerOptions container_options, Logger logger);

  // A session's container is about to be made, or its directories to be removed; depart() says that
  // nothing of that is left. One at a time: an agent that goes on with a session arrives when the
  // one before it, and whoever removes what that one had, has departed.
  void arrive(const SessionId& session);
  void depart(const SessionId& session);
  bool is_present(const SessionId& session) const { return host.present.contains(session); }
  // Returns when nothing of the session is there; at once when it never arrived.
  Task<void> departed(SessionId session);
  // Whether that happens within the limit.
  Task<bool> departs_within(SessionId session, std::chrono::milliseconds limit);

  // Opens the way out of a session that has one, until it departs; what it has used of its budgets
  // is known then. Its directories are there.
  Task<Result<void>> open_way_out(SessionId session, SharedContainerOptions of_it,
                                  EgressCarrier carrier);
  // The two parts of it: what may take its time, and what is to follow at once.
  Task<Result<void>> prepare_way_out(SessionId session, SharedContainerOptions of_it);
  Result<void> open_door(const SessionId& session, const ContainerOptions& of_it,
                         EgressCarrier carrier) const;

  // Removes the container of a session in the background, again and again while the Engine is away,
  // until it departs. What is still there when the relay ends is found by its next start.
  void discard(const SessionId& session);
  // The relay ends and waits for the Engine no longer: from here on discard() departs at once.
  void leave_the_rest() { leaves_the_rest_ = true; }

  DockerHost& host;
  const asio::any_io_executor executor;
  // Of starts from here on; replaced as a whole. Whoever needs more than one of its values over a
  // co_await takes a copy of the pointer.
  SharedContainerOptions options;
  const Logger log;
  engine::EngineClient& engine;
  EngineEvents& events;
  Workspaces workspaces;
  BlockingCalls calls;
  TaskScope background;

 private:
  Task<void> discard_until_gone(SessionId session);

  bool leaves_the_rest_ = false;
};

}  // namespace relay
