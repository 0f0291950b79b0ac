// What the operator reads when the relay is up. Pure.
#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace relay::app {

// A further agent.
struct NamedAgent {
  std::string name;
  std::string agent;  // as in Running; of one that runs as a process
};

struct Running {
  std::uint16_t http_port = 0;
  std::uint16_t websocket_port = 0;
  std::uint16_t management_port = 0;
  std::string agent;                    // command line, or empty for the demo agent
  std::string generated_token;          // printed once: it is stored nowhere
  std::string program = "acp-relay";    // as it is to be typed
  std::string engine{};                 // "Docker 20.10.24 (API 1.41) at ..."; empty: processes
  std::string_view carrier = "unix";    // of agents' connections, where they are in containers
  std::string no_containers_because{};  // set when processes stand in for containers
  std::vector<NamedAgent> agents{};     // in the order of the configuration
};

// "npx some-agent --acp"; empty: the demo agent.
std::string command_line(const config::AgentConfig& agent);

std::string startup_lines(const config::Config& config, const Running& running);

}  // namespace relay::app
