// The address of a WebSocket: ws://host:port/path or wss://...; http and https mean the same.
#pragma once

#include "base/result.hpp"
#include "http/client.hpp"

#include <string>
#include <string_view>

namespace relay::http {

struct WebSocketUrl {
  Endpoint endpoint;
  std::string target = "/";  // the path as it is spelled

  // Fails with what is wrong with the text. A query is refused: addresses end up in logs.
  static Result<WebSocketUrl> parse(std::string_view url);
  std::string to_string() const;
};

}  // namespace relay::http
