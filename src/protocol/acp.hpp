// Facts of the Agent Client Protocol (protocol version 1) that the relay acts on. Everything it
// does not know is carried through. Source: agentclientprotocol.com, schema 1.34.
#pragma once

#include <string_view>

namespace relay::acp {

inline constexpr int kProtocolVersion = 1;

// Requests of agents to clients, by the way they are answered when several clients, or none, are
// there.
enum class ReverseKind {
  kPermission,   // session/request_permission: goes to all who may answer, first valid answer wins
  kClientDisk,   // fs/*, terminal/*: only a client that offered the capability
  kElicitation,  // elicitation/create: whoever prompted; when that leaves, as a permission
  kOther,
};

constexpr ReverseKind reverse_kind(std::string_view method) {
  if (method == "session/request_permission") return ReverseKind::kPermission;
  if (method.starts_with("fs/") || method.starts_with("terminal/")) return ReverseKind::kClientDisk;
  if (method == "elicitation/create") return ReverseKind::kElicitation;
  return ReverseKind::kOther;
}

// An elicitation may be about a request of its client, which other clients do not know.
constexpr bool is_of_request(ReverseKind kind, bool names_a_request) {
  return kind == ReverseKind::kElicitation && names_a_request;
}

inline constexpr std::string_view kPrompt = "session/prompt";
inline constexpr std::string_view kCancel = "session/cancel";
inline constexpr std::string_view kUpdate = "session/update";
// What announces a child session, in a session/update.
inline constexpr std::string_view kSubagentUpdate = "subagent_update";
inline constexpr std::string_view kSetMode = "session/set_mode";
inline constexpr std::string_view kSetOption = "session/set_config_option";
inline constexpr std::string_view kCancelRequest = "$/cancel_request";
// Keeps a connection awake; some clients send it, and nobody acts on it.
inline constexpr std::string_view kPing = "$/ping";

// JSON-RPC error code of a request that was cancelled.
inline constexpr int kRequestCancelled = -32800;
// Of an agent that wants to be logged in (ACP: auth_required), and what its operator does then.
inline constexpr int kAuthRequired = -32000;
inline constexpr std::string_view kLoginCause = "the agent wants to be logged in";
inline constexpr std::string_view kLoginRemedy =
    "give it its key with agent.env (ANTHROPIC_API_KEY for Claude, OPENAI_API_KEY for Codex, "
    "GEMINI_API_KEY for Gemini)";

// The relay's own notifications to clients. Extension methods begin with an underscore.
inline constexpr std::string_view kTurnComplete = "_acp-relay/turn_complete";
inline constexpr std::string_view kSessionClosed = "_acp-relay/session_closed";
inline constexpr std::string_view kAgentNotice = "_acp-relay/agent_notice";
inline constexpr std::string_view kGap = "_acp-relay/gap";

inline constexpr std::string_view kCancelledOutcome = R"({"outcome":{"outcome":"cancelled"}})";

}  // namespace relay::acp
