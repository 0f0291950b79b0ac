// The JSON-RPC messages that the relay itself makes. `id` is always JSON text (1, "a", null).
#pragma once

#include "base/error.hpp"
#include "protocol/frame.hpp"

#include <string>
#include <string_view>

namespace relay::rpc {

// JSON-RPC 2.0, section 5.1.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;

std::string request(std::string_view id, std::string_view method, std::string_view params);
std::string notification(std::string_view method, std::string_view params);
std::string result(std::string_view id, std::string_view result);

// How errors of the relay that JSON-RPC has no code for are numbered. On ACP's remote transport
// -32000 means "log in first" to every client, so it is never used there.
enum class Dialect { kRelay, kAcp };

int error_code(ErrorType type, Dialect dialect);

// {"code", "message", "data": {error_type, explanation, possible_causes, suggested_actions,
// relevant_state, recoverable, details?}}. For ACP clients an agent's own error passes as it came.
std::string error_object(const Error& error, Dialect dialect);
std::string error(std::string_view id, const Error& error, Dialect dialect);
// A bare JSON-RPC error: {"code", "message"}.
std::string plain_error(std::string_view id, int code, std::string_view message);

// What a refused frame is answered with.
Error to_error(const FrameError& refused);

}  // namespace relay::rpc
