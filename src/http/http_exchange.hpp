// One request of a ServerConnection and the ways to answer it.
#pragma once

#include "http/server.hpp"
#include "http/server_connection.hpp"

#include <string>

namespace relay::http {

class HttpExchange final : public Exchange {
 public:
  enum class State { kWaiting, kStreaming, kAnswered, kWebSocket, kLost };
  enum class Version { kHttp10, kHttp11 };

  HttpExchange(ServerConnection& connection, Request request, Version version, bool keep_alive);

  const Request& request() const override { return request_; }
  Request& request() override { return request_; }
  Task<Result<void>> respond(Response response) override;
  Task<Result<void>> start_stream(Response head) override;
  Task<Result<void>> write(std::string_view bytes) override;
  Task<Result<void>> finish() override;
  std::unique_ptr<PeerWatch> watch_peer(HalfClosed half_closed, PeerEvents events) override;
  bool wants_websocket() const override;
  Task<Result<WebSocket*>> accept_websocket(std::string subprotocol, Headers extra) override;
  asio::any_io_executor executor() const override { return connection_.transport().executor(); }

  State state() const { return state_; }
  // True when the connection can take another request after this one.
  bool keep_alive() const { return keep_alive_ && state_ == State::kAnswered; }

 private:
  std::string_view connection_header() const;
  bool probe();
  void settle_keep_alive(const Response& response);

  ServerConnection& connection_;
  Request request_;
  Version version_;
  bool keep_alive_;
  bool is_head_;
  State state_ = State::kWaiting;
};

}  // namespace relay::http
