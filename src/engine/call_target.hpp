// The text of what is asked of the Engine: paths, queries, and which versions of them. Pure.
#pragma once

#include "engine/values.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::engine {

inline constexpr ApiVersion kOldestApi{1, 41};  // Docker 20.10
// Docker 29 understands nothing older than 1.44.
inline constexpr ApiVersion kNewestApi{1, 44};

// The newest version that both sides know; empty when there is none.
std::optional<ApiVersion> common_api(const EngineVersion& engine);

// Everything but letters, digits and -._~ as %XX. `keep` is left as it is.
std::string escaped(std::string_view text, std::string_view keep = {});

// Whether this can be a container's id or name: what else comes along is never sent.
bool is_container_name(std::string_view id);
// TERM, SIGTERM, 15.
bool is_signal_name(std::string_view signal);

// The value of a `filters` parameter, escaped: {"label":["a","b=c"]}, and type=container for
// events.
std::string label_filter(const std::vector<std::string>& labels);
std::string event_filter(std::string_view label);

}  // namespace relay::engine
