// What an agent takes of the machine it runs on, as it was when it was asked.
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace relay {

// What is empty is not known, or not counted where the agent runs.
struct AgentUsage {
  std::string state;  // of its process or container: "running", "paused", "stopped", "exited", ...
  std::optional<WallTime> started_at;
  std::optional<std::chrono::nanoseconds> cpu_time;  // of all its processes, since its start
  std::optional<std::uint64_t> memory_bytes, memory_limit_bytes;
  std::optional<std::uint64_t> processes, process_limit;  // threads count where there is a limit
  // Since its start.
  std::optional<std::uint64_t> network_received_bytes, network_sent_bytes;
  std::optional<std::uint64_t> disk_read_bytes, disk_written_bytes;
};

}  // namespace relay
