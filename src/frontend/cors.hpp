// What browsers ask before they let a page use the HTTP API (the Fetch standard's CORS protocol).
// Pure.
#pragma once

#include "http/message.hpp"

namespace relay::frontend {

// Nothing without an Origin header.
void add_cors_headers(const http::Request& request, http::Response& response);

// The answer to an OPTIONS request whose origin is admitted.
http::Response preflight_response();

}  // namespace relay::frontend
