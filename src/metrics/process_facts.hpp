// What this process takes of its machine, as the kernel tells it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace relay::metrics {

struct ProcessFacts {
  double cpu_seconds = 0;  // of all threads, user and system
  std::int64_t resident_bytes = 0;
  double start_seconds = 0;  // since 1970
};

// Of the texts of /proc/self/stat and /proc/stat; empty where they are none. Pure.
std::optional<ProcessFacts> read_process_facts(std::string_view own_stat, std::string_view stat,
                                               std::int64_t ticks_per_second,
                                               std::int64_t page_bytes);

// Of this process; empty when the kernel does not tell.
std::optional<ProcessFacts> process_facts();

// Descriptors that this process has open; -1 when the kernel does not tell.
std::int64_t count_open_fds();

}  // namespace relay::metrics
