#include "session/turn_signs.hpp"

#include "protocol/acp.hpp"
#include "protocol/own_id.hpp"

namespace relay {
namespace {

bool is_update_of_turns(std::string_view kind) {
  for (const std::string_view one :
       {"user_message_chunk", "agent_message_chunk", "agent_thought_chunk", "tool_call",
        "tool_call_update", "plan", "plan_update"}) {
    if (kind == one) return true;
  }
  return false;
}

}  // namespace

bool shows_turn(const Frame& from_agent, std::string_view agent_session, std::int64_t prompt) {
  const Envelope& envelope = from_agent.envelope();
  const bool is_of_session = from_agent.text(envelope.session_id) == agent_session;
  switch (from_agent.kind()) {
    case FrameKind::kRequest:
      if (acp::reverse_kind(from_agent.method()) == acp::ReverseKind::kOther) return false;
      // An elicitation may be about another request than the prompt.
      if (envelope.request_id.present()) return own_id(from_agent.request_id()) == prompt;
      return is_of_session;
    case FrameKind::kNotification:
      return from_agent.method() == acp::kUpdate && is_of_session &&
             is_update_of_turns(from_agent.update_kind());
    case FrameKind::kResult:
    case FrameKind::kError:
      return own_id(from_agent.id()) == prompt;
  }
  return false;
}

}  // namespace relay
