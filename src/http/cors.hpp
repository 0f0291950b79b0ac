// What browsers ask before they let a page use the HTTP API (the Fetch standard's CORS protocol).
// Pure.
#pragma once

#include "http/message.hpp"

namespace relay::http {

// Nothing without an Origin header.
void add_cors_headers(const Request& request, Response& response);

// The answer to an OPTIONS request whose origin is admitted.
Response preflight_response();

}  // namespace relay::http
