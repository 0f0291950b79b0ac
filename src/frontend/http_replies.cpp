#include "frontend/http_replies.hpp"

#include "protocol/rpc.hpp"

namespace relay::frontend {

int http_status(ErrorType type) {
  switch (type) {
    case ErrorType::kParseError:
    case ErrorType::kInvalidRequest:
      return 400;
    case ErrorType::kUnauthorized:
      return 401;
    case ErrorType::kForbidden:
      return 403;
    case ErrorType::kMessageTooLarge:
      return 413;
    case ErrorType::kSessionLimitReached:
    case ErrorType::kShuttingDown:
    case ErrorType::kDockerNotAvailable:
      return 503;
    default:
      return 200;
  }
}

http::Response json_response(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

http::Response error_response(std::string_view id, const Error& error) {
  const int status = http_status(error.type);
  http::Response response = json_response(status, rpc::error(id, error, rpc::Dialect::kRelay));
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (status == 503) response.headers.push_back({"Retry-After", "5"});
  return response;
}

http::Response not_acceptable(std::string_view offered) {
  http::Response response = error_response(
      "null", make_error(ErrorType::kInvalidRequest, "nothing here is what Accept asks for")
                  .suggest("accept " + std::string(offered)));
  response.status = 406;
  return response;
}

http::Response left_response(std::string_view id) {
  return error_response(id, make_error(ErrorType::kInvalidRequest,
                                       "the client closed its connection before the answer"));
}

std::string server_error_body(int status, std::string_view explanation) {
  Error error = make_error(ErrorType::kInvalidRequest, std::string(explanation));
  if (status == 413) {
    error.type = ErrorType::kMessageTooLarge;
    error.suggested_actions = {"send less at once", "raise server.max_message_bytes"};
  } else if (status == 431) {
    error.suggested_actions = {"send fewer or shorter headers", "raise server.max_header_bytes"};
  } else if (status == 408) {
    error.suggested_actions = {"send the request without pauses",
                               "raise server.header_timeout, server.body_timeout or "
                               "server.request_timeout, or lower server.min_body_rate"};
  } else if (status == 503) {
    error.type = ErrorType::kInternalError;
    error.suggested_actions = {"try again later",
                               "raise server.max_connections or server.max_bodies_bytes"};
  } else if (status >= 500) {
    error.type = ErrorType::kInternalError;
    error.suggested_actions = {"read the relay's log and report it"};
  }
  error.recoverable = status != 400;
  return rpc::error("null", error, rpc::Dialect::kRelay);
}

}  // namespace relay::frontend
