// What one session's agent may reach through the relay. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace relay::egress {

// Hosts that an agent may reach with TLS of its own, by CONNECT.
struct TunnelRule {
  std::string name;        // of the host, in small letters
  bool any_below = false;  // every name that ends in "." and this one, but not this one itself
  std::uint16_t port = 443;
};

struct Reach {
  std::vector<std::string> upstreams;  // their names
  std::vector<TunnelRule> tunnels;
  bool empty() const { return upstreams.empty() && tunnels.empty(); }
};

}  // namespace relay::egress
