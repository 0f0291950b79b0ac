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
        StopReason::kRefusal, StopReason::kCancelled, StopReason::kError}) {
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

std::string_view label(Route value) {
  switch (value) {
    case Route::kClientToAgent:
      return "client_to_agent";
    case Route::kAgentToClient:
      return "agent_to_client";
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

std::string_view label(AgentIsolation value) {
  switch (value) {
    case AgentIsolation::kProcess:
      return "process";
    case AgentIsolation::kContainer:
      return "container";
  }
  return "other";
}

std::string_view label(StartPhase value) {
  switch (value) {
    case StartPhase::kCreate:
      return "create";
    case StartPhase::kAttach:
      return "attach";
    case StartPhase::kStart:
      return "start";
    case StartPhase::kInitialize:
      return "initialize";
    case StartPhase::kNew:
      return "new";
  }
  return "other";
}

std::string_view label(CloseCause value) {
  switch (value) {
    case CloseCause::kClient:
      return "client";
    case CloseCause::kOperator:
      return "operator";
    case CloseCause::kIdle:
      return "idle";
    case CloseCause::kRelayShutdown:
      return "relay_shutdown";
    case CloseCause::kRelayRestarted:
      return "relay_restarted";
    case CloseCause::kAgentExited:
      return "agent_exited";
    case CloseCause::kError:
      return "error";
  }
  return "other";
}

CloseCause close_cause(std::string_view text) {
  text = text.substr(0, text.find(':'));
  if (text == "closed") return CloseCause::kClient;
  for (const CloseCause cause :
       {CloseCause::kOperator, CloseCause::kIdle, CloseCause::kRelayShutdown,
        CloseCause::kRelayRestarted, CloseCause::kAgentExited}) {
    if (text == label(cause)) return cause;
  }
  return CloseCause::kError;
}

std::string_view label(EngineCall value) {
  switch (value) {
    case EngineCall::kVersion:
      return "version";
    case EngineCall::kInfo:
      return "info";
    case EngineCall::kImage:
      return "image";
    case EngineCall::kPull:
      return "pull";
    case EngineCall::kCreate:
      return "create";
    case EngineCall::kAttach:
      return "attach";
    case EngineCall::kLogs:
      return "logs";
    case EngineCall::kWait:
      return "wait";
    case EngineCall::kStart:
      return "start";
    case EngineCall::kKill:
      return "kill";
    case EngineCall::kRemove:
      return "remove";
    case EngineCall::kInspect:
      return "inspect";
    case EngineCall::kList:
      return "list";
    case EngineCall::kStats:
      return "stats";
    case EngineCall::kFiles:
      return "files";
    case EngineCall::kExec:
      return "exec";
    case EngineCall::kEvents:
      return "events";
  }
  return "other";
}

std::string_view label(EngineError value) {
  switch (value) {
    case EngineError::kUnreachable:
      return "unreachable";
    case EngineError::kTimeout:
      return "timeout";
    case EngineError::kNotFound:
      return "not_found";
    case EngineError::kRefused:
      return "refused";
    case EngineError::kFailed:
      return "failed";
  }
  return "other";
}

std::string_view label(RequestOutcome value) {
  switch (value) {
    case RequestOutcome::k1xx:
      return "1xx";
    case RequestOutcome::k2xx:
      return "2xx";
    case RequestOutcome::k3xx:
      return "3xx";
    case RequestOutcome::k4xx:
      return "4xx";
    case RequestOutcome::k5xx:
      return "5xx";
    case RequestOutcome::kBadRequest:
      return "bad_request";
    case RequestOutcome::kNoToken:
      return "no_token";
    case RequestOutcome::kUnknownUpstream:
      return "unknown_upstream";
    case RequestOutcome::kNotAllowed:
      return "not_allowed";
    case RequestOutcome::kOverBudget:
      return "over_budget";
    case RequestOutcome::kNoCredential:
      return "no_credential";
    case RequestOutcome::kUnreachable:
      return "unreachable";
    case RequestOutcome::kTimedOut:
      return "timed_out";
    case RequestOutcome::kBadAnswer:
      return "bad_answer";
    case RequestOutcome::kTooManyConnections:
      return "too_many_connections";
    case RequestOutcome::kAgentLeft:
      return "agent_left";
  }
  return "other";
}

}  // namespace relay::metrics
