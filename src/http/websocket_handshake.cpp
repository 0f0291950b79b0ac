#include "http/websocket_handshake.hpp"

#include "http/header_fields.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace relay::http {

namespace {

bool is_base64_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// 16 bytes in base64.
bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::ranges::all_of(key.substr(0, 22), is_base64_character);
}

}  // namespace

bool asks_for_websocket(const Request& request) {
  return has_token(request.headers, "Upgrade", "websocket") &&
         has_token(request.headers, "Connection", "upgrade");
}

HandshakeAnswer answer_handshake(const Request& request) {
  if (!asks_for_websocket(request)) {
    return {426, {}, "this address speaks WebSocket: connect with a WebSocket client"};
  }
  if (request.method != "GET") return {400, {}, "a WebSocket handshake is a GET request"};
  if (trimmed(request.header("Sec-WebSocket-Version")) != "13") {
    return {426, {}, "the only WebSocket version here is 13"};
  }
  const std::string_view key = trimmed(request.header("Sec-WebSocket-Key"));
  if (!is_key(key)) {
    return {400, {}, "Sec-WebSocket-Key is missing or is not 16 bytes in base64"};
  }
  return {101, websocket_accept(key), {}};
}

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 29> encoded{};
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

}  // namespace relay::http
