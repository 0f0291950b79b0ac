#include "frontend/acp/acp_errors.hpp"

#include <string>

namespace relay::frontend {

Error initialized_already() {
  return make_error(ErrorType::kInvalidRequest, "Initialize not allowed on existing connection")
      .because("a connection is initialized once")
      .suggest("open another connection");
}

Error not_initialized(std::string_view method) {
  return make_error(ErrorType::kInvalidRequest,
                    "the connection is not initialized, so " + std::string(method) + " can't be")
      .because("its initialize was answered with an error")
      .suggest("send initialize on another connection, when its cause is mended");
}

Error no_session_named(std::string_view method) {
  for (const std::string_view known : {"session/prompt", "session/cancel", "session/set_mode",
                                       "session/set_config_option", "session/set_model"}) {
    if (method == known) {
      return make_error(ErrorType::kInvalidParams, "params.sessionId is missing");
    }
  }
  return make_error(ErrorType::kMethodNotFound,
                    std::string(method) + " is for an agent, and this connection has no session")
      .suggest("call session/new, session/load or session/resume first");
}

Error too_large(std::string_view what) {
  return make_error(ErrorType::kInvalidParams, std::string(what) + " is larger than " +
                                                   std::to_string(kMostOfClient) + " bytes")
      .because("the connection keeps it for the agents of its sessions")
      .with("limit", static_cast<std::int64_t>(kMostOfClient));
}

Error too_many_streams(std::size_t limit) {
  return make_error(ErrorType::kSessionLimitReached,
                    "the connection has " + std::to_string(limit) + " session streams already")
      .suggest("open another connection")
      .with("limit", static_cast<std::int64_t>(limit));
}

Error too_many_unknown_streams(std::size_t limit) {
  return make_error(ErrorType::kSessionLimitReached,
                    "the connection has " + std::to_string(limit) +
                        " streams of sessions that it does not use")
      .because("a session is used once it was made, loaded or resumed on the connection")
      .suggest("load or resume the sessions whose streams are open")
      .suggest("leave streams that are not needed")
      .with("limit", static_cast<std::int64_t>(limit));
}

Error too_many_connections(std::size_t limit) {
  return make_error(ErrorType::kSessionLimitReached,
                    "there are " + std::to_string(limit) + " connections over HTTP already")
      .because(
          "connections end with DELETE, or when nobody used them for "
          "server.acp_connection_timeout")
      .suggest("try again later, or raise server.max_connections")
      .with("limit", static_cast<std::int64_t>(limit))
      .retryable();
}

Error id_is_in_use(std::string_view id) {
  return make_error(ErrorType::kInvalidRequest,
                    "a request with the id " + std::string(id) + " is not answered yet")
      .suggest("use an id that no unanswered request of yours has")
      .retryable();
}

}  // namespace relay::frontend
