#include "bridge/message.hpp"

#include "protocol/relay_ids.hpp"

#include <array>
#include <utility>

namespace relay::bridge {

CallKind call_kind(std::string_view method) {
  constexpr std::array<std::pair<std::string_view, CallKind>, 10> kKinds{{
      {"initialize", CallKind::kInitialize},
      {"authenticate", CallKind::kAuthenticate},
      {"logout", CallKind::kLogout},
      {"session/new", CallKind::kNew},
      {"session/load", CallKind::kLoad},
      {"session/resume", CallKind::kResume},
      {"session/fork", CallKind::kNew},
      {"session/close", CallKind::kEnd},
      {"session/delete", CallKind::kEnd},
      {"session/list", CallKind::kQuery},
  }};
  for (const auto& [name, kind] : kKinds) {
    if (name == method) return kind;
  }
  return CallKind::kOther;
}

std::string session_of(const Frame& frame) {
  const std::string_view id = frame.session_id();
  if (!is_child_session_id(id)) return std::string(frame.text(frame.envelope().session_id));
  return '"' + std::string(owning_session(id)) + '"';
}

std::string session_of(const Frame& call, CallKind kind) {
  if (opens_or_ends(kind) && is_child_session_id(call.session_id())) return {};
  return session_of(call);
}

}  // namespace relay::bridge
