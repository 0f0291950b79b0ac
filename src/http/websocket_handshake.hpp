// The rules of the WebSocket opening handshake (RFC 6455 section 4), as functions of a request.
#pragma once

#include "http/message.hpp"

#include <string>
#include <string_view>

namespace relay::http {

// True when the request asks for `Upgrade: websocket` with `Connection: Upgrade`.
bool asks_for_websocket(const Request& request);

struct HandshakeAnswer {
  int status = 101;         // 101, 400 or 426
  std::string accept;       // Sec-WebSocket-Accept for 101
  std::string explanation;  // for the others
};

HandshakeAnswer answer_handshake(const Request& request);

// base64(SHA-1(key + GUID)).
std::string websocket_accept(std::string_view key);

}  // namespace relay::http
