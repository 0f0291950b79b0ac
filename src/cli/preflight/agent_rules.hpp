// What starting an agent came to. Pure.
#pragma once

#include "backend/agent_backend.hpp"
#include "base/result.hpp"
#include "cli/preflight/finding.hpp"

#include <chrono>
#include <string>

namespace relay::cli::preflight {

struct AgentTrial {
  Result<std::string> answer = std::string();  // to `initialize`, JSON text
  Isolation isolation = Isolation::kProcess;
  std::string program;                // image or command line
  std::string no_containers_because;  // set when processes stand in for containers
  std::chrono::milliseconds took{0};  // from nothing to the answer
  bool was_interrupted = false;       // nobody waits for it any more
  std::string left_by;                // label of what could not be removed; empty: nothing is left
};

Finding agent_finding(std::string name, const AgentTrial& trial);

}  // namespace relay::cli::preflight
