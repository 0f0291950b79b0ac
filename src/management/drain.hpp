// What a relay that makes no new sessions still has to do, and what its end would take away. Pure.
#pragma once

#include "base/wall_time.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace relay::management {

struct DrainFacts {
  std::optional<WallTime> since;   // empty: the relay is not draining
  std::size_t sessions = 0;        // open ones, with those that start
  std::size_t starting = 0;        // also what waits to get another agent
  std::size_t turns = 0;           // running
  std::size_t queued_prompts = 0;  // behind them
  std::size_t permission_waits = 0;
  // Ids of sessions that would end with the relay: the next run can't go on with their agents.
  std::vector<std::string> ending;
  std::chrono::milliseconds shutdown_timeout{0};
  std::int64_t pid = 0;
};

// So many ids are named; the number of all is told beside them.
inline constexpr std::size_t kMaxNamedSessions = 100;

// Nothing is under way that a stop would interrupt.
bool is_quiet(const DrainFacts& facts);

// {"draining","since"?,"quiet","sessions","starting","turns","queuedPrompts","permissionWaits",
// "endingSessions","ending":[ids],"shutdownTimeoutMs","pid"}
std::string drain_view(const DrainFacts& facts);

}  // namespace relay::management
