#include "base/error.hpp"

#include <variant>

namespace relay {

std::string_view to_string(ErrorType type) {
  switch (type) {
    case ErrorType::kParseError:
      return "parse_error";
    case ErrorType::kInvalidRequest:
      return "invalid_request";
    case ErrorType::kInvalidParams:
      return "invalid_params";
    case ErrorType::kMethodNotFound:
      return "method_not_found";
    case ErrorType::kInternalError:
      return "internal_error";
    case ErrorType::kSessionNotFound:
      return "session_not_found";
    case ErrorType::kSessionClosed:
      return "session_closed";
    case ErrorType::kSessionLimitReached:
      return "session_limit_reached";
    case ErrorType::kTurnInProgress:
      return "turn_in_progress";
    case ErrorType::kDockerNotAvailable:
      return "docker_not_available";
    case ErrorType::kImageNotFound:
      return "image_not_found";
    case ErrorType::kContainerStartFailed:
      return "container_start_failed";
    case ErrorType::kContainerResourceExceeded:
      return "container_resource_exceeded";
    case ErrorType::kWorkspaceUnavailable:
      return "workspace_unavailable";
    case ErrorType::kAgentConnectionTimeout:
      return "agent_connection_timeout";
    case ErrorType::kAgentStartFailed:
      return "agent_start_failed";
    case ErrorType::kAgentExited:
      return "agent_exited";
    case ErrorType::kAgentProtocolError:
      return "agent_protocol_error";
    case ErrorType::kRelayRestarted:
      return "relay_restarted";
    case ErrorType::kUpstreamDenied:
      return "upstream_denied";
    case ErrorType::kUnauthorized:
      return "unauthorized";
    case ErrorType::kForbidden:
      return "forbidden";
    case ErrorType::kMessageTooLarge:
      return "message_too_large";
    case ErrorType::kSlowClient:
      return "slow_client";
    case ErrorType::kShuttingDown:
      return "shutting_down";
  }
  return "internal_error";
}

bool is_service_failure(ErrorType type) {
  switch (type) {
    case ErrorType::kInternalError:
    case ErrorType::kDockerNotAvailable:
    case ErrorType::kImageNotFound:
    case ErrorType::kContainerStartFailed:
    case ErrorType::kAgentConnectionTimeout:
    case ErrorType::kAgentStartFailed:
    case ErrorType::kAgentExited:
    case ErrorType::kAgentProtocolError:
      return true;
    default:
      return false;
  }
}

Error Error::because(std::string cause) && {
  possible_causes.push_back(std::move(cause));
  return std::move(*this);
}

Error Error::suggest(std::string action) && {
  suggested_actions.push_back(std::move(action));
  return std::move(*this);
}

Error Error::with(std::string key, StateValue value) && {
  state.emplace_back(std::move(key), std::move(value));
  return std::move(*this);
}

Error Error::retryable() && {
  recoverable = true;
  return std::move(*this);
}

Error make_error(ErrorType type, std::string explanation) {
  Error error;
  error.type = type;
  error.explanation = std::move(explanation);
  return error;
}

std::int64_t number_of(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.state) {
    const auto* number = std::get_if<std::int64_t>(&value);
    if (key == name && number != nullptr) return *number;
  }
  return 0;
}

}  // namespace relay
