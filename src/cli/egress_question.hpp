// What an agent would ask the relay for, when somebody says it by a URL. Pure.
#pragma once

#include "egress/upstream.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace relay::cli {

// The target of the agent's request, "/anthropic/v1/messages?beta=true": of a URL of the relay's
// port in the container (`port` of a loopback address), of a path, or of a URL at an upstream
// itself, where the one with the longest base is meant. Empty: the URL is nowhere of these.
std::optional<std::string> asked_target(std::string_view url,
                                        std::span<const egress::Upstream> upstreams,
                                        std::uint16_t port);

// "https://host:port" of a URL.
std::string_view origin_of(std::string_view url);

}  // namespace relay::cli
