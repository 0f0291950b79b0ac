// agent.connect: hosts that an agent may reach with TLS of its own. Pure.
#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace relay::config {

struct TunnelHost {
  std::string name;        // in small letters
  bool any_below = false;  // "*.NAME": every name that ends in ".NAME", but not NAME itself
  std::uint16_t port = 443;
  std::string problem;  // what is wrong with it; empty: nothing, and only then the rest is of use
};

// "github.com", "github.com:8443", "*.npmjs.org". No addresses: a name is what a certificate says.
TunnelHost parse_tunnel_host(std::string_view text);

// agent.connect where it has an effect, in a container without a network; empty elsewhere.
Strings connect_in_force(const AgentConfig& agent, const ContainerConfig& container);

}  // namespace relay::config
