#include "base/error_advice.hpp"

namespace relay {

Advice usual_advice(ErrorType type) {
  switch (type) {
    case ErrorType::kParseError:
      return {"the text was cut off, is not JSON or is not UTF-8",
              "send one complete JSON-RPC message in UTF-8"};
    case ErrorType::kInvalidRequest:
      return {"the message or the request has another form than the one that is taken here",
              "compare it with the examples in docs/api.md and docs/acp.md"};
    case ErrorType::kInvalidParams:
      return {"a parameter is missing, misspelt or of another kind",
              "compare the params with the tables in docs/api.md and docs/acp.md"};
    case ErrorType::kMethodNotFound:
      return {
          "the method or the path is misspelt, or the agent does not offer it",
          "see docs/api.md for what the relay offers, and the agent's capabilities for the rest"};
    case ErrorType::kInternalError:
      return {"something happened that the relay did not expect",
              "read the relay's log, and report what it says if it can't be helped"};
    case ErrorType::kSessionNotFound:
      return {"the id is misspelt, the session was deleted, or it belongs to another token",
              "session/list shows the sessions that there are"};
    case ErrorType::kSessionClosed:
      return {"somebody closed the session, or its agent ended", "make another with session/new"};
    case ErrorType::kSessionLimitReached:
      return {"as many exist as may",
              "close what is not used with session/close, or raise the limit that is named"};
    case ErrorType::kTurnInProgress:
      return {"as many prompts wait as may",
              "wait for the end of the turn, or cancel it with session/cancel"};
    case ErrorType::kDockerNotAvailable:
      return {
          "the Docker Engine does not run, or the relay may not use its socket",
          "systemctl status docker, or set container.enabled: false to run agents as processes"};
    case ErrorType::kImageNotFound:
      return {"the image was not built or pulled on this host, or its name is misspelt",
              "look with docker images, and build or pull it"};
    case ErrorType::kContainerStartFailed:
      return {"the Engine does not take a setting of the container",
              "check the keys of container that the explanation speaks of"};
    case ErrorType::kContainerResourceExceeded:
      return {"the agent needs more than its container or the host has",
              "raise the limit of the container that is named, or run fewer sessions at a time"};
    case ErrorType::kWorkspaceUnavailable:
      return {"a directory does not exist, is full, or may not be used by the relay's user",
              "make it, make room in it, or give the relay's user the right to it"};
    case ErrorType::kAgentConnectionTimeout:
      return {"the agent starts slowly, or its program does not speak ACP on its standard output",
              "run its command by hand, or raise agent.startup_timeout"};
    case ErrorType::kAgentStartFailed:
      return {"the agent's program can't be run as it is configured, or refuses to work",
              "run its command by hand, and check agent.command, agent.args and agent.env"};
    case ErrorType::kAgentExited:
      return {"the agent crashed, was ended, or had nothing more to do",
              "read the last lines of its stderr, and make another session with session/new"};
    case ErrorType::kAgentProtocolError:
      return {"the agent's program writes something else than ACP to its standard output",
              "check that its command is an ACP agent; what it logs belongs to stderr"};
    case ErrorType::kRelayRestarted:
      return {"the relay was stopped, upgraded or killed",
              "go on with session/load at /acp, or make another session with session/new"};
    case ErrorType::kUpstreamDenied:
      return {
          "the agent asked for more than the configuration lets it have, or the upstream can't "
          "be reached",
          "read the relay's log, and check the upstream below egress.upstreams"};
    case ErrorType::kUnauthorized:
      return {"no token was sent, or one that auth.tokens does not have",
              "send the header Authorization: Bearer <token>"};
    case ErrorType::kForbidden:
      return {
          "the role of the token, the origin of the page or the Host of the request does not allow "
          "it",
          "see auth.tokens for roles and server.allowed_origins for pages"};
    case ErrorType::kMessageTooLarge:
      return {"the message is over server.max_message_bytes", "send less at once, or raise it"};
    case ErrorType::kSlowClient:
      return {"the client, or the network to it, is slower than the agent writes",
              "read faster and come back with session/resume, or raise server.max_outbox_bytes"};
    case ErrorType::kShuttingDown:
      return {"the relay is being stopped or upgraded", "try again when it is back"};
  }
  return {"the cause is not known", "read the relay's log"};
}

}  // namespace relay
