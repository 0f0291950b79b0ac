// The one virtual seam of the relay: starting an agent somewhere.
#pragma once

#include "backend/agent.hpp"
#include "backend/launch_spec.hpp"

#include <memory>
#include <string_view>

namespace relay {

enum class Isolation { kProcess, kContainer };

// "process" or "container", as the wire says it.
constexpr std::string_view to_string(Isolation isolation) {
  return isolation == Isolation::kContainer ? "container" : "process";
}

class AgentBackend {
 public:
  virtual ~AgentBackend() = default;

  // Starts one agent. On failure nothing is left behind and the Error names the real cause.
  virtual Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) = 0;

  virtual Isolation isolation() const = 0;
};

}  // namespace relay
