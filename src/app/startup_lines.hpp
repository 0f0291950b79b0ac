// What the operator reads when the relay is up. Pure.
#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>

namespace relay::app {

struct Running {
  std::uint16_t http_port = 0;
  std::uint16_t websocket_port = 0;
  std::uint16_t management_port = 0;
  std::string agent;                    // command line, or empty for the demo agent
  std::string generated_token;          // printed once: it is stored nowhere
  std::string program = "acp-relay";    // as it is to be typed
  std::string engine{};                 // "Docker 20.10.24 (API 1.41) at ..."; empty: processes
  std::string no_containers_because{};  // set when processes stand in for containers
};

std::string startup_lines(const config::Config& config, const Running& running);

}  // namespace relay::app
