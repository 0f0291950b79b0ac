// HTTP answers that carry JSON-RPC messages, and which status goes with which error. Pure.
#pragma once

#include "base/error.hpp"
#include "http/message.hpp"

#include <string>

namespace relay::frontend {

// 200 for JSON-RPC errors, except where HTTP has its own word for them.
int http_status(ErrorType type);

http::Response json_response(int status, std::string body);
// The error as a JSON-RPC response; with Retry-After where trying again helps, WWW-Authenticate on
// 401.
http::Response error_response(std::string_view id, const Error& error);
// 406: the client accepts none of what there is.
http::Response not_acceptable(std::string_view offered);
// To a client that has closed its connection meanwhile: nobody reads it.
http::Response left_response(std::string_view id);
// For answers of the server itself (http::ServerOptions::error_body).
std::string server_error_body(int status, std::string_view explanation);

}  // namespace relay::frontend
