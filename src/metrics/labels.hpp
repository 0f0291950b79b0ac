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
// From the router's text; kOther for what ACP does not know.
StopReason stop_reason(std::string_view text);

// The four directions of the message log.
enum class Direction { kClientToRelay, kRelayToAgent, kAgentToRelay, kRelayToClient };
std::string_view label(Direction value);

// Which way a message goes through the relay.
enum class Route { kClientToAgent, kAgentToClient };
std::string_view label(Route value);

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
  kNotStarted,   // its session did not start, for want of the agent
};
std::string_view label(ExitCause value);

// Where an agent runs.
enum class AgentIsolation { kProcess, kContainer };
std::string_view label(AgentIsolation value);

// What the start of a session consists of. Processes have no kCreate and no kAttach.
enum class StartPhase { kCreate, kAttach, kStart, kInitialize, kNew };
std::string_view label(StartPhase value);

// Why a session was closed.
enum class CloseCause {
  kClient,
  kOperator,
  kIdle,
  kRelayShutdown,
  kRelayRestarted,
  kAgentExited,
  kError
};
std::string_view label(CloseCause value);
// From the cause that the log keeps of a session: "idle", "agent_exited: ...".
CloseCause close_cause(std::string_view text);

// Calls to a Docker Engine.
enum class EngineCall {
  kVersion,
  kInfo,
  kImage,
  kPull,
  kCreate,
  kAttach,
  kLogs,
  kWait,
  kStart,
  kKill,
  kRemove,
  kInspect,
  kList,
  kStats,
  kFiles,
  kExec,
  kEvents
};
std::string_view label(EngineCall value);

// How a call to a Docker Engine failed: kNotFound, kRefused and kFailed are its statuses 404, other
// 4xx and 5xx.
enum class EngineError { kUnreachable, kTimeout, kNotFound, kRefused, kFailed };
std::string_view label(EngineError value);

// How a request of an agent to an upstream ended: the class of the answer's status, why the relay
// refused it or cut it off, or that the agent did not wait.
enum class RequestOutcome {
  k1xx,
  k2xx,
  k3xx,
  k4xx,
  k5xx,
  kBadRequest,
  kNoToken,
  kUnknownUpstream,
  kNotAllowed,
  kOverBudget,
  kNoCredential,
  kUnreachable,
  kTimedOut,
  kBadAnswer,
  kTooManyConnections,
  kAgentLeft
};
std::string_view label(RequestOutcome value);

inline std::string_view label(ErrorType value) { return to_string(value); }
inline constexpr ErrorType kLastErrorType = ErrorType::kShuttingDown;

}  // namespace relay::metrics
