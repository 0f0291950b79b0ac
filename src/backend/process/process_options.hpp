// How agents are started as child processes.
#pragma once

#include "backend/process/environment.hpp"
#include "egress/broker.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace relay {

struct ProcessOptions {
  std::string command;  // a name to look up in PATH, or a path
  std::vector<std::string> args;
  EnvironmentList env;            // added to what agents inherit, in this order; filled in
                                  // (egress/agent_address.hpp) where there are upstreams
  std::string working_directory;  // absolute; empty: where the relay was started
  std::string instance;           // names the relay in the mark of its agents; empty: no mark
  // Reached through the broker, which outlives the agents. Empty: the agent finds its own way.
  std::vector<std::string> upstreams;
  egress::Broker* broker = nullptr;
  std::size_t max_line_bytes = 32 * 1024 * 1024;
  std::size_t max_stderr_bytes = 64 * 1024;
  // A killed process that does not end within this sleeps in the kernel, or is another user's by
  // now: waiting longer helps nobody.
  std::chrono::milliseconds killed_child_ends{5'000};
  unsigned stderr_lines_per_second = 50;  // shown in the log; the rest is counted
  // Takes secrets out of a line of stderr before it is logged or reported. Empty: nothing to take
  // out.
  std::function<std::string(std::string)> redact;
};

}  // namespace relay
