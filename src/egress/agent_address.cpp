#include "egress/agent_address.hpp"

#include "base/placeholders.hpp"

#include <optional>

namespace relay::egress {

std::string filled_in(std::string_view text, const AgentAddress& address) {
  constexpr std::string_view kUpstream = "upstream:";
  return replace_placeholders(text, [&](std::string_view words) -> std::optional<std::string> {
    if (words == "upstream_key") return address.key;
    if (!words.starts_with(kUpstream)) return std::nullopt;
    return address.url + "/" + std::string(words.substr(kUpstream.size()));
  });
}

}  // namespace relay::egress
