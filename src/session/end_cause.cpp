#include "session/end_cause.hpp"

#include <algorithm>
#include <array>

namespace relay {

bool ended_by_itself(std::string_view cause) {
  static constexpr std::array<std::string_view, 6> kCauses{
      "agent_exited",         "agent_protocol_error", "container_resource_exceeded",
      "docker_not_available", "internal_error",       "relay_restarted"};
  return std::ranges::any_of(kCauses,
                             [&](std::string_view begin) { return cause.starts_with(begin); });
}

}  // namespace relay
