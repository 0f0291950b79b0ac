#include "frontend/acp/acp_rules.hpp"

#include "protocol/relay_ids.hpp"
#include "session/session_ids.hpp"

#include <algorithm>
#include <array>

namespace relay::frontend {
namespace {

// Every client names the session of these in a header; for all else some clients do not.
constexpr std::array<std::string_view, 5> kNameTheirSession{
    "session/prompt", "session/cancel", "session/set_mode", "session/set_config_option",
    "session/close"};

}  // namespace

std::optional<std::string> acp_agent(std::string_view path, std::span<const std::string> aliases) {
  constexpr std::string_view kAgents = "/agents/";
  constexpr std::string_view kEnd = "/acp";
  if (path == kEnd || std::ranges::find(aliases, path) != aliases.end()) return std::string();
  if (!path.starts_with(kAgents) || !path.ends_with(kEnd)) return std::nullopt;
  path.remove_prefix(kAgents.size());
  if (path.size() <= kEnd.size()) return std::nullopt;
  path.remove_suffix(kEnd.size());
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(path);
}

std::optional<AcpRefusal> refuse_message(const http::Request& request, const Frame& frame) {
  const bool connected = !request.header("Acp-Connection-Id").empty();
  const bool first = !frame.is_response() && frame.method() == "initialize";
  if (!connected && !first) {
    return AcpRefusal{400, "Missing Acp-Connection-Id",
                      "send initialize first, and the header of its answer with all that follows"};
  }
  if (connected && first) {
    return AcpRefusal{400, "Initialize not allowed on existing connection",
                      "leave Acp-Connection-Id out to open another connection"};
  }
  if (first && (frame.kind() != FrameKind::kRequest || frame.id() == "null")) {
    return AcpRefusal{400, "initialize must be a request with an id", R"(add "id": 1)"};
  }
  const std::string_view session = request.header("Acp-Session-Id");
  if (session.empty()) {
    const auto* const found = std::ranges::find(kNameTheirSession, frame.method());
    if (frame.is_response() || found == kNameTheirSession.end()) return std::nullopt;
    return AcpRefusal{400, "Missing Acp-Session-Id", "send the session's id in this header, too"};
  }
  if (!frame.session_id().empty() && frame.session_id() != session) {
    return AcpRefusal{400, "Mismatched Acp-Session-Id: the header and params.sessionId differ",
                      "send the same id in both"};
  }
  return std::nullopt;
}

bool can_name_session(std::string_view id) {
  return id.size() <= kChildPrefixLength + SessionIds::kLongestChild &&
         is_relay_session_id(owning_session(id));
}

int refused_frame_status(FrameError::Kind kind) {
  return kind == FrameError::Kind::kBatch ? 501 : 400;
}

bool has_token_in_query(const http::Request& request) {
  return std::ranges::any_of(request.query, [](const auto& parameter) {
    return parameter.first == "token" || parameter.first == "access_token";
  });
}

}  // namespace relay::frontend
