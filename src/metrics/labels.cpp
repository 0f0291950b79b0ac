#include "metrics/labels.hpp"

namespace relay::metrics {

std::string_view label(SessionState value) {
  switch (value) {
    case SessionState::kStarting:
      return "starting";
    case SessionState::kReady:
      return "ready";
    case SessionState::kTurn:
      return "turn";
    case SessionState::kClosing:
      return "closing";
  }
  return "other";
}

std::string_view label(StopReason value) {
  switch (value) {
    case StopReason::kEndTurn:
      return "end_turn";
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kMaxTurnRequests:
      return "max_turn_requests";
    case StopReason::kRefusal:
      return "refusal";
    case StopReason::kCancelled:
      return "cancelled";
    case StopReason::kError:
      return "error";
    case StopReason::kOther:
      return "other";
  }
  return "other";
}

StopReason stop_reason(std::string_view text) {
  for (const StopReason reason :
       {StopReason::kEndTurn, StopReason::kMaxTokens, StopReason::kMaxTurnRequests,
        StopReason::kRefusal, StopReason::kCancelled}) {
    if (text == label(reason)) return reason;
  }
  return StopReason::kOther;
}

std::string_view label(Direction value) {
  switch (value) {
    case Direction::kClientToRelay:
      return "client_to_relay";
    case Direction::kRelayToAgent:
      return "relay_to_agent";
    case Direction::kAgentToRelay:
      return "agent_to_relay";
    case Direction::kRelayToClient:
      return "relay_to_client";
  }
  return "other";
}

std::string_view label(Transport value) {
  switch (value) {
    case Transport::kRelayHttp:
      return "relay_http";
    case Transport::kRelayWebSocket:
      return "relay_websocket";
    case Transport::kAcpHttp:
      return "acp_http";
    case Transport::kAcpWebSocket:
      return "acp_websocket";
  }
  return "other";
}

std::string_view label(SkipReason value) {
  switch (value) {
    case SkipReason::kNotJson:
      return "not_json";
    case SkipReason::kInvalid:
      return "invalid";
    case SkipReason::kOversized:
      return "oversized";
    case SkipReason::kDuplicateKeys:
      return "duplicate_keys";
    case SkipReason::kUnknownId:
      return "unknown_id";
  }
  return "other";
}

std::string_view label(ExitCause value) {
  switch (value) {
    case ExitCause::kStopped:
      return "stopped";
    case ExitCause::kExited:
      return "exited";
    case ExitCause::kFailed:
      return "failed";
    case ExitCause::kSignalled:
      return "signalled";
    case ExitCause::kOutOfMemory:
      return "out_of_memory";
    case ExitCause::kNotStarted:
      return "not_started";
  }
  return "other";
}

}  // namespace relay::metrics
