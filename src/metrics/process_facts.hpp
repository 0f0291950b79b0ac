// What this process takes of its machine, as the kernel tells it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace relay::metrics {

struct ProcessFacts {
  std::int64_t resident_bytes = 0;
  double start_seconds = 0;  // since 1970
};

// Of the texts of /proc/self/stat and /proc/stat; empty where they are none. Pure.
std::optional<ProcessFacts> read_process_facts(std::string_view own_stat, std::string_view stat,
                                               std::int64_t ticks_per_second,
                                               std::int64_t page_bytes);

// Of this process; empty when the kernel does not tell.
std::optional<ProcessFacts> process_facts();

// CPU time of all threads of this process so far, user and system, to the nanosecond: the ticks
// of /proc/self/stat would have it at zero for the first hundredth of a second. Empty when the
// kernel does not tell.
std::optional<double> cpu_seconds();

// So many descriptors may this process have open; -1: no limit.
std::int64_t descriptor_limit();

// Descriptors that this process has open; its limit when none is left to look with, and -1 when the
// kernel does not tell.
std::int64_t count_open_fds();

}  // namespace relay::metrics
