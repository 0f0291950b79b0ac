// A start that is under way: what the one who launches and the start itself share. One that nobody
// waits for any more still comes to its end, so that it can be undone.
#pragma once

#include "backend/agent_backend.hpp"
#include "backend/docker/container_options.hpp"
#include "base/async.hpp"
#include "base/error.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace relay {

inline Error nobody_waits() {
  return make_error(ErrorType::kSessionClosed, "nobody waits for the agent any more");
}

struct PendingStart {
  PendingStart(asio::any_io_executor executor, LaunchSpec to_do, SharedContainerOptions as_it_says)
      : spec(std::move(to_do)), options(std::move(as_it_says)), done(std::move(executor)) {}

  LaunchSpec spec;
  const SharedContainerOptions options;
  bool has_begun = false;   // nothing of the session's life before is in the way any more
  bool is_held_up = false;  // not by the Engine: it waits for a place, or copies directories
  bool has_made = false;    // directories: from here on there may be a container, too
  bool late = false;        // its time has run out
  bool abandoned = false;
  std::chrono::steady_clock::time_point began;  // when it got the place that it has
  std::optional<Result<std::unique_ptr<Agent>>> result;
  Event done;
};

}  // namespace relay
