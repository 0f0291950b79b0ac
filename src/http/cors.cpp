#include "http/cors.hpp"

namespace relay::http {

void add_cors_headers(const Request& request, Response& response) {
  const std::string_view origin = request.header("Origin");
  if (origin.empty()) return;
  response.headers.push_back({"Access-Control-Allow-Origin", std::string(origin)});
  response.headers.push_back(
      {"Access-Control-Expose-Headers", "acp-connection-id, acp-session-id, link"});
  response.headers.push_back({"Vary", "Origin"});
}

Response preflight_response() {
  Response response;
  response.status = 204;
  response.headers = {
      {"Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"},
      {"Access-Control-Allow-Headers",
       "authorization, content-type, last-event-id, acp-connection-id, acp-session-id, "
       "acp-protocol-version, traceparent, tracestate"},
      {"Access-Control-Max-Age", "600"},
  };
  return response;
}

}  // namespace relay::http
