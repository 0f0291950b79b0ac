// A WebSocket to a server, plain or TLS: the handshake, whole text messages both ways, pings.
//
// Owns its connection; closed with the object. One reader (receive) and one writer (send) at a
// time. Sizes are bytes. The server's pings are answered while somebody waits in receive().
//
// Errors of connect() are those of the HTTP client, with its "errno". A server that answers but
// does not agree to a WebSocket: the state "status" is what it answered, kUnauthorized for 401,
// kForbidden for 403, and `details` is the beginning of the body.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "http/websocket.hpp"
#include "http/websocket_url.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relay::http {

struct WebSocketClientOptions {
  WebSocketOptions websocket;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds handshake_timeout{10'000};
};

class WebSocketClient {
 public:
  static Task<Result<std::unique_ptr<WebSocketClient>>> connect(asio::any_io_executor executor,
                                                                WebSocketUrl url, Headers headers,
                                                                WebSocketClientOptions options);
  ~WebSocketClient();
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  // As http::WebSocket does; empty when the connection is over, which ended() explains.
  Task<std::vector<std::string>> receive();
  Task<Result<void>> send(std::span<const std::string_view> messages);
  // Sends a close frame. receive() ends when the server has answered, or two seconds later.
  void close(CloseCode code, std::string_view reason);
  // Drops the connection at once. After a ping that was not answered nothing of what was sent goes
  // out any more, for it may be sent again on another connection.
  void abandon();

  // After it was sent, last_pong() becomes `payload` (not empty, at most 125 bytes) when the server
  // has received everything that was sent before.
  void ping(std::string_view payload);
  std::string last_pong() const;

  // Why the connection is over: a text for a person, with the code of a close frame.
  struct End {
    std::optional<std::uint16_t> code;
    std::string explanation;
  };
  End ended() const;

  // Of the server's answer to the handshake.
  const Headers& headers() const;

 private:
  class Link;
  explicit WebSocketClient(std::shared_ptr<Link> link);

  std::shared_ptr<Link> link_;
};

}  // namespace relay::http
