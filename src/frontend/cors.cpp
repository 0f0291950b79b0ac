#include "frontend/cors.hpp"

namespace relay::frontend {

void add_cors_headers(const http::Request& request, http::Response& response) {
  const std::string_view origin = request.header("Origin");
  if (origin.empty()) return;
  response.headers.push_back({"Access-Control-Allow-Origin", std::string(origin)});
  response.headers.push_back(
      {"Access-Control-Expose-Headers", "acp-connection-id, acp-session-id"});
  response.headers.push_back({"Vary", "Origin"});
}

http::Response preflight_response() {
  http::Response response;
  response.status = 204;
  response.headers = {
      {"Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"},
      {"Access-Control-Allow-Headers",
       "authorization, content-type, last-event-id, acp-connection-id, acp-session-id, "
       "acp-protocol-version"},
      {"Access-Control-Max-Age", "600"},
  };
  return response;
}

bool accepts(const http::Request& request, std::string_view media_type) {
  std::string_view accept = request.header("Accept");
  if (accept.empty()) return true;
  const std::string_view kind = media_type.substr(0, media_type.find('/') + 1);
  while (!accept.empty()) {
    const std::size_t comma = accept.find(',');
    std::string_view range = accept.substr(0, comma);
    accept.remove_prefix(comma == std::string_view::npos ? accept.size() : comma + 1);
    range = range.substr(0, range.find(';'));
    while (range.starts_with(' ')) range.remove_prefix(1);
    while (range.ends_with(' ')) range.remove_suffix(1);
    if (range == "*/*" || range == media_type) return true;
    if (range.ends_with("/*") && range.substr(0, range.size() - 1) == kind) return true;
  }
  return false;
}

}  // namespace relay::frontend
