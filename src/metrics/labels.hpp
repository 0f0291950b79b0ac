// The values that labels of metrics can have: every set is closed, so no client or agent can make
// the number of time series grow.
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace relay::metrics {

enum class SessionState { kStarting, kReady, kTurn, kClosing };
std::string_view label(SessionState value);

// How a turn ended: ACP's stop reasons, a JSON-RPC error instead of a result, anything else.
enum class StopReason {
  kEndTurn,
  kMaxTokens,
  kMaxTurnRequests,
  kRefusal,
  kCancelled,
  kError,
  kOther,
};
std::string_view label(StopReason value);
// From the agent's text; kOther for what ACP does not know.
StopReason stop_reason(std::string_view text);

// The four directions of the message log.
enum class Direction { kClientToRelay, kRelayToAgent, kAgentToRelay, kRelayToClient };
std::string_view label(Direction value);

// What a client speaks.
enum class Transport { kRelayHttp, kRelayWebSocket, kAcpHttp, kAcpWebSocket };
std::string_view label(Transport value);

// Why a line of an agent was not delivered.
enum class SkipReason { kNotJson, kInvalid, kOversized, kDuplicateKeys, kUnknownId };
std::string_view label(SkipReason value);

enum class ExitCause {
  kStopped,      // the relay ended it: session closed, idle, shutdown
  kExited,       // by itself, with code 0
  kFailed,       // by itself, with another code
  kSignalled,    // a signal that the relay did not send
  kOutOfMemory,  // killed at its memory limit
  kNotStarted,   // it never answered `initialize`
};
std::string_view label(ExitCause value);

inline constexpr ErrorType kLastErrorType = ErrorType::kShuttingDown;

}  // namespace relay::metrics
