#include "frontend/relay_websocket.hpp"

#include "base/finally.hpp"
#include "frontend/answer.hpp"
#include "frontend/http_replies.hpp"
#include "http/judged.hpp"
#include "http/websocket_handshake.hpp"

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

tl::expected<http::Principal, http::Response> RelayWebSocket::admit(const http::Request& head) {
  auto principal = http::admit(*options_.access, head);
  if (!principal) {
    metrics_.count_error(principal.error());
    return tl::unexpected(error_response("null", principal.error()));
  }
  if (head.path != "/") return tl::unexpected(no_such_path());
  if (!http::asks_for_websocket(head)) return tl::unexpected(upgrade_required());
  principal->transport = metrics::label(metrics::Transport::kRelayWebSocket);
  return std::move(*principal);
}

http::HeadVerdict RelayWebSocket::judge(const http::Request& head) {
  http::HeadVerdict verdict =
      http::judged(head, [this](const auto& request) { return admit(request); });
  verdict.max_body_bytes = http::kUnreadBodyBytes;
  return verdict;
}

Task<void> RelayWebSocket::handle(http::Exchange& exchange) {
  auto principal = admit(exchange.request());
  if (!principal) {
    co_await answer(exchange, std::move(principal.error()));
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
  const Finally left([this] { --metrics_.clients[metrics::Transport::kRelayWebSocket]; });
  co_await client->run();
}

}  // namespace relay::frontend
