// What went wrong, in a form that a person or a model can act on.
//
// One value carries a failure from where it is noticed to the wire: `explanation` says what
// happened and why, `suggested_actions` what to do (commands and configuration keys that exist),
// `state` what is known (phase, exit code, limit, last lines of stderr). protocol/rpc_error.hpp
// turns it into a JSON-RPC error. Texts must not hold secrets; protocol/secrets.hpp redacts what
// may.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace relay {

enum class ErrorType {
  // JSON-RPC's own.
  kParseError,
  kInvalidRequest,
  kInvalidParams,
  kMethodNotFound,
  kInternalError,
  // Sessions.
  kSessionNotFound,
  kSessionClosed,
  kSessionLimitReached,
  kTurnInProgress,
  // Containers.
  kDockerNotAvailable,
  kImageNotFound,
  kContainerStartFailed,
  kContainerResourceExceeded,
  kWorkspaceUnavailable,
  // Agents.
  kAgentConnectionTimeout,
  kAgentStartFailed,
  kAgentExited,
  kAgentProtocolError,
  kRelayRestarted,
  kUpstreamDenied,
  // The edge.
  kUnauthorized,
  kForbidden,
  kMessageTooLarge,
  kSlowClient,
  kShuttingDown,
};

// The name on the wire, e.g. "session_not_found".
std::string_view to_string(ErrorType type);

// Something that an operator has to mend: the Engine, the image, the agent. Not what a client asked
// wrongly (a directory that is not there), ended itself, or had its agent use up (the memory).
bool is_service_failure(ErrorType type);

using StateValue = std::variant<std::string, std::int64_t, bool>;

struct Error {
  ErrorType type = ErrorType::kInternalError;
  std::string explanation;
  std::vector<std::string> possible_causes;
  std::vector<std::string> suggested_actions;
  std::vector<std::pair<std::string, StateValue>> state;
  // True when the same request may succeed later or after the suggested action.
  bool recoverable = false;
  std::string details;
  // The JSON-RPC error object of an agent, as it spelled it, when the failure is the agent's own
  // answer: ACP clients act on its code ("log in first"). Empty otherwise.
  std::string agent_error;

  // Chainable, for building at the place of the failure.
  Error because(std::string cause) &&;
  Error suggest(std::string action) &&;
  Error with(std::string key, StateValue value) &&;
  Error retryable() &&;
};

Error make_error(ErrorType type, std::string explanation);

// A number of the state; 0 when there is none of that name.
std::int64_t number_of(const Error& error, std::string_view name);

}  // namespace relay
