// What the end of an agent's container means: the Engine's state as exit, and the real cause as an
// error that names the limit and the key to raise. Pure.
#pragma once

#include "backend/agent.hpp"
#include "backend/docker/container_options.hpp"
#include "engine/values.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace relay {

struct EndedContainer {
  std::optional<engine::ContainerState> state;  // empty: removed by someone else, or unknown
  std::optional<int> exit_code;                 // what the wait call said
  bool oom_event = false;                       // the kernel killed a process of it
  bool output_closed = false;           // its output ended while it ran; then the relay ended it
  bool asked_to_stop = false;           // by the relay
  bool disk_is_full = false;            // the workspace's file system has no room
  std::optional<Error> engine_failure;  // why the end could not be watched
  std::string stderr_tail;
};

AgentExit container_exit(const ContainerOptions& options, const EndedContainer& ended);

// The container ended while no relay was there: relay_restarted, with the cause.
Error ended_without_relay(const AgentExit& exit);

// A process of the container was killed for memory, and the agent goes on.
Error memory_exceeded(const ContainerOptions& options, const engine::ContainerUsage& usage);

// Why a running agent may be silent: its CPU or its processes are used up. Empty: nothing is known.
std::optional<Error> starved(const ContainerOptions& options, const engine::ContainerUsage& usage);

// A container that was created and did not start: `state.error` and exit codes 126 and 127 as
// container_start_failed.
Error start_failed(const ContainerOptions& options, Error refused,
                   const std::optional<engine::ContainerState>& state);

// "2G", "512M", "1500000 bytes".
std::string size_text(std::uint64_t bytes);

}  // namespace relay
