// Processes that agents of an earlier run left behind, found by a mark in their environment.
//
// The kernel kills an agent's own process with a relay that is killed, but not what the agent has
// started. Everything below an agent inherits the variable kAgentMark, "INSTANCE/PID/START": the
// instance names the relay across its runs (its database), the pid and the start time one run of
// it. Only processes of the relay's user are looked at. One that cleans its environment is not
// found.
#pragma once

#include "base/log.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace relay {

inline constexpr std::string_view kAgentMark = "ACP_AGENT_OF_RELAY";

// A run of a relay; `started` in clock ticks since the machine's start, as in /proc/PID/stat.
struct RelayRun {
  pid_t pid = 0;
  unsigned long long started = 0;

  bool operator==(const RelayRun&) const = default;
};

// The mark of what this process starts.
std::string agent_mark(std::string_view instance);

// Of a process with this environment ("NAME=value", each ended by NUL): the run of the relay
// `instance` that it belongs to; pid 0: none.
RelayRun run_of(std::string_view environment, std::string_view instance);

// Whether that run goes on.
bool is_alive(const RelayRun& run);

// Ends what belongs to runs of `instance` that are over: SIGTERM, two seconds, SIGKILL; again for
// what they started meanwhile. Never this process or one above it. Blocks: for the start of the
// relay only, some seconds at most. How many have ended; logs what happened.
std::size_t end_leftovers(std::string_view instance, const Logger& log);

}  // namespace relay
