// The relay's own session ids: "sess_" and 32 lower-case hex digits.
#pragma once

#include "base/strong_id.hpp"

#include <string_view>

namespace relay {

inline constexpr std::string_view kSessionIdPrefix = "sess_";
inline constexpr std::size_t kSessionIdLength = 5 + 32;

SessionId new_session_id();

bool is_relay_session_id(std::string_view text);

// The same for a JSON string, quotes included.
inline bool is_relay_session_id_json(std::string_view json) {
  return json.size() == kSessionIdLength + 2 &&
         is_relay_session_id(json.substr(1, kSessionIdLength));
}

}  // namespace relay
