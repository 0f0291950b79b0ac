// Where an agent finds the broker, and how that gets into its environment. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relay::egress {

struct AgentAddress {
  std::string url;  // "http://127.0.0.1:9180", to which the name of an upstream is added
  std::string key;  // what the agent has to send as its key; a placeholder where any text will do
};

// `text` with "{upstream:NAME}" as the base URL of that upstream and "{upstream_key}" as the key.
std::string filled_in(std::string_view text, const AgentAddress& address);

}  // namespace relay::egress
