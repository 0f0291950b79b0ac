// What the machine has, beside what the configuration asks of it. Pure.
#pragma once

#include "base/time.hpp"
#include "cli/preflight/finding.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace relay::cli::preflight {

struct ClockFacts {
  WallTime now;
  WallTime program;                  // when the program's file was written
  std::optional<bool> synchronised;  // as the kernel says; empty: it does not say
  bool has_systemd = false;
};
Finding clock_finding(const ClockFacts& facts);

struct OpenFilesFacts {
  std::uint64_t limit = 0;      // the hard one, which the relay takes
  std::size_t sessions = 0;     // agent.max_concurrent_sessions
  std::size_t connections = 0;  // server.max_connections, of one port
};
Finding open_files_finding(const OpenFilesFacts& facts);

struct MemoryFacts {
  std::string where;                       // "this machine", "the Engine's host"
  std::uint64_t total = 0;                 // bytes
  std::optional<std::uint64_t> available;  // empty: it is another machine
  std::uint64_t limit = 0;                 // container.memory_limit; 0: none
  std::size_t sessions = 0;
};
Finding memory_finding(std::string name, const MemoryFacts& facts);

struct DiskFacts {
  std::string path;
  std::string what;  // what lies there
  std::string key;   // that says where it lies
  std::uint64_t free_bytes = 0;
  std::optional<std::uint64_t> free_files;  // empty: the file system does not count them
};
Finding disk_finding(std::string name, const DiskFacts& facts);

}  // namespace relay::cli::preflight
