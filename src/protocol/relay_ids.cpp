#include "protocol/relay_ids.hpp"

#include "base/random_id.hpp"

#include <algorithm>

namespace relay {

SessionId new_session_id() { return SessionId(std::string(kSessionIdPrefix) + random_hex(16)); }

bool is_relay_session_id(std::string_view text) {
  return text.size() == kSessionIdLength && text.starts_with(kSessionIdPrefix) &&
         std::all_of(text.begin() + kSessionIdPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_child_session_id(std::string_view text) {
  return text.size() > kChildPrefixLength && text[kSessionIdLength] == kChildMark &&
         is_relay_session_id(text.substr(0, kSessionIdLength));
}

std::string for_session(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  for (std::size_t at = out.find(from); at != std::string::npos; at = out.find(from, at)) {
    out.replace(at, from.size(), to);
    at += to.size();
  }
  return out;
}

std::string_view owning_session(std::string_view text) {
  return is_child_session_id(text) ? text.substr(0, kSessionIdLength) : text;
}

}  // namespace relay
