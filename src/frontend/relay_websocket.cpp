#include "frontend/relay_websocket.hpp"

#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"

namespace relay::frontend {
namespace {

http::Response upgrade_required() {
  http::Response response = error_response(
      "null", make_error(ErrorType::kInvalidRequest, "this port speaks WebSocket")
                  .suggest("connect with ws://, or use the HTTP API on server.http_port"));
  response.status = 426;
  response.headers.push_back({"Upgrade", "websocket"});
  return response;
}

http::Response no_such_path() {
  http::Response response =
      error_response("null", make_error(ErrorType::kMethodNotFound, "no such path; connect to /"));
  response.status = 404;
  return response;
}

}  // namespace

RelayWebSocket::RelayWebSocket(RelayApi& api, Metrics& metrics, Logger log,
                               WebSocketFrontendOptions options)
    : api_(api), metrics_(metrics), log_(std::move(log)), options_(std::move(options)) {}

Task<void> RelayWebSocket::handle(http::Exchange& exchange) {
  auto principal = http::admit(options_.access, exchange.request());
  std::optional<http::Response> refused;
  if (!principal) {
    ++metrics_.errors[principal.error().type];
    refused = error_response("null", principal.error());
  } else if (exchange.request().path != "/") {
    refused = no_such_path();
  } else if (!exchange.wants_websocket()) {
    refused = upgrade_required();
  }
  if (refused) {
    co_await answer(exchange, std::move(*refused));
    co_return;
  }
  std::string subprotocol = http::chosen_subprotocol(exchange.request());
  http::Headers no_more_headers;
  auto accepted =
      co_await exchange.accept_websocket(std::move(subprotocol), std::move(no_more_headers));
  if (!accepted) co_return;
  const auto client = std::make_unique<WebSocketClient>(api_, metrics_, options_, **accepted,
                                                        std::move(*principal), exchange.executor());
  ++metrics_.clients[metrics::Transport::kRelayWebSocket];
  co_await client->run();
  --metrics_.clients[metrics::Transport::kRelayWebSocket];
}

}  // namespace relay::frontend
