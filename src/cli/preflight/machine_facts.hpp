// Looks at the machine this program runs on. Calls on paths may block: not for the loop.
#pragma once

#include "base/result.hpp"
#include "cli/preflight/machine_rules.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace relay::cli::preflight {

// Whether services are systemd's.
bool has_systemd();

ClockFacts clock_facts();

// RLIMIT_NOFILE, the hard one.
std::uint64_t most_open_files();

struct Memory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};
Memory machine_memory();

// The path, or the nearest directory above it that is there.
std::string nearest_existing(const std::string& path);

// Room where `path` lies or would lie; empty: nothing is there.
std::optional<DiskFacts> disk_facts(const std::string& path, std::string what, std::string key);

}  // namespace relay::cli::preflight
