#include "bridge/message.hpp"

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

}  // namespace relay::bridge
