// The relay's own session ids: "sess_" and 32 lower-case hex digits.
#pragma once

#include "base/strong_id.hpp"

#include <string>
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

// A text of the session `from`, which has a relay id, as one of the session `to`.
std::string for_session(std::string_view text, std::string_view from, std::string_view to);

// A session that an agent has made under its own (a sub-agent's) is known to clients by the id of
// the session it belongs to, a full stop, and the agent's id for it: "sess_<32 hex
// digits>.<agent's>". So nothing has to be remembered to tell whose it is, and it is the same after
// a restart.
inline constexpr char kChildMark = '.';
inline constexpr std::size_t kChildPrefixLength = kSessionIdLength + 1;

// Both take the id as it is spelled in JSON, without quotes.
bool is_child_session_id(std::string_view text);
// The relay's session to which the id belongs: its own one, or that of its parent.
std::string_view owning_session(std::string_view text);

}  // namespace relay
