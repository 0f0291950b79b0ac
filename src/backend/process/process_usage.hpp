// What a process and those below it use, from /proc.
#pragma once

#include "backend/agent_usage.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <sys/types.h>

namespace relay {

// Of /proc/PID/stat.
struct ProcessStat {
  char state = 'X';
  std::chrono::nanoseconds cpu_time{0};  // its own and that of children it has waited for
  std::uint64_t resident_bytes = 0;
};

// What the numbers of a kernel count in.
struct KernelUnits {
  std::int64_t ticks_per_second = 100;
  std::uint64_t page_bytes = 4096;
};

// Pure. Empty: it is not what the kernel writes there.
std::optional<ProcessStat> read_process_stat(std::string_view text, KernelUnits units);

// What is looked at of an agent, which may be more than a turn of the loop has time for: so many
// processes, and for their children so many threads, of which none takes more than half of those
// that are left.
struct UsageBounds {
  std::size_t processes = 256;
  std::size_t threads = 2048;
};

// Of `pid` and its descendants, within the bounds. Empty: there is no such process. Memory that
// several of them share counts for each.
std::optional<AgentUsage> usage_of_processes(pid_t pid, UsageBounds bounds = {});

}  // namespace relay
