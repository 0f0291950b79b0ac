#include "cli/json_access.hpp"
#include "cli/replay/replay_link.hpp"
#include "cli/rpc.hpp"
#include "cli/terminal_text.hpp"
#include "http/deadline.hpp"
#include "http/websocket_client.hpp"

#include <boost/json/serialize.hpp>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kCloseTime(10);
constexpr std::string_view kCloseId = "close";

class RelayLink final : public ReplayLink {
 public:
  RelayLink(asio::any_io_executor executor, std::unique_ptr<http::WebSocketClient> client)
      : executor_(std::move(executor)), client_(std::move(client)) {}

  Task<bool> send(std::vector<std::string> messages) override {
    const std::vector<std::string_view> views(messages.begin(), messages.end());
    const Result<void> sent = co_await client_->send(views);
    co_return sent.has_value();
  }
  Task<std::vector<std::string>> receive() override { co_return co_await client_->receive(); }
  // The session is the replay's own: it goes with it. Its messages stay in the relay's log.
  Task<void> close(std::string session) override {
    if (!session.empty()) {
      json::object params;
      params["sessionId"] = session;
      json::object message;
      message["jsonrpc"] = "2.0";
      message["id"] = kCloseId;
      message["method"] = "session/close";
      message["params"] = std::move(params);
      std::vector<std::string> lines{json::serialize(message)};
      const http::Deadline limit(executor_, kCloseTime, [this] { client_->abandon(); });
      const bool sent = co_await send(std::move(lines));
      bool answered = !sent;
      while (!answered) {
        const std::vector<std::string> came = co_await client_->receive();
        answered = came.empty();
        for (const std::string& line : came) answered = answered || is_answer(line);
      }
    }
    client_->close(http::CloseCode::kNormal, "");
    client_->abandon();
  }
  std::string ended() const override {
    return "the connection to the relay is lost: " + visible(client_->ended().explanation);
  }
  std::string_view error_type() const override { return "connection_lost"; }

 private:
  static bool is_answer(const std::string& line) {
    const auto message = parse_object(line);
    return message && string_at(*message, "id") == kCloseId;
  }

  asio::any_io_executor executor_;
  std::unique_ptr<http::WebSocketClient> client_;
};

}  // namespace

Task<Outcome<std::unique_ptr<ReplayLink>>> open_relay_link(asio::any_io_executor executor,
                                                           ConnectTarget target) {
  http::WebSocketClientOptions options;
  options.websocket.max_message_bytes = kMaxReplayedBytes;
  const std::string url = visible(target.url.to_string());
  Result<std::unique_ptr<http::WebSocketClient>> client = co_await http::WebSocketClient::connect(
      executor, std::move(target.url), std::move(target.headers), std::move(options));
  if (!client) {
    const ConnectFailure failure = connect_failure(url, client.error(), false);
    co_return Failure{failure.code, visible(failure.error.explanation)};
  }
  std::unique_ptr<ReplayLink> link =
      std::make_unique<RelayLink>(std::move(executor), std::move(*client));
  co_return link;
}

}  // namespace relay::cli
