// The one virtual seam of the relay: starting an agent somewhere, or going on with one.
#pragma once

#include "backend/agent.hpp"
#include "backend/launch_spec.hpp"
#include "base/error.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace relay {

enum class Isolation { kProcess, kContainer };

// "process" or "container", as the wire says it.
constexpr std::string_view to_string(Isolation isolation) {
  return isolation == Isolation::kContainer ? "container" : "process";
}

struct Reattachment {
  std::unique_ptr<Agent> agent;
  // Something that it wrote while no relay read it can't be read any more.
  bool output_lost = false;
};

class AgentBackend {
 public:
  virtual ~AgentBackend() = default;

  // Starts one agent. On failure nothing is left behind and the Error names the real cause.
  virtual Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) = 0;

  // Goes on with the agent that an earlier run of the relay left running for the session: what it
  // wrote behind `position` comes first. Errors: relay_restarted when there is none (any more),
  // docker_not_available.
  virtual Task<Result<Reattachment>> reattach(SessionId session, OutputPosition position) = 0;

  // Ends the agent that an earlier run of the relay left running for a session which does not go on
  // with it. Directories stay. Returns when it has ended, or after some seconds; what the Engine
  // refuses is tried again.
  virtual Task<void> end_unwanted(SessionId session) = 0;

  // The session is over for good: removes what was its own and not one agent's (directories).
  // Never fails: what can't be removed now is removed later, or named in the log.
  virtual Task<void> release(SessionId session) = 0;

  // Ends what runs in the background. No agent may be launched afterwards.
  virtual Task<void> shut_down() = 0;

  // Why sessions can't be made now; empty: nothing speaks against it.
  virtual std::optional<Error> unavailable() const = 0;

  // The same, asked of who knows: the Engine, the file system. Within a few seconds.
  virtual Task<std::optional<Error>> examine() { co_return unavailable(); }

  virtual Isolation isolation() const = 0;
};

}  // namespace relay
