#include "http/websocket_client.hpp"

#include "http/client_connection.hpp"
#include "http/deadline.hpp"
#include "http/header_fields.hpp"
#include "http/websocket_connection.hpp"
#include "http/websocket_handshake.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace relay::http {

namespace {

constexpr std::size_t kMaxRefusalBytes = 4096;
constexpr std::size_t kMaxRefusalBody = 1u << 20;
constexpr std::chrono::milliseconds kTick{250};

std::string fresh_key() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::system_error(std::make_error_code(std::errc::io_error), "no random bytes");
  }
  std::array<unsigned char, 25> text{};
  const int size = EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size)};
}

Request handshake(const WebSocketUrl& url, Headers headers, const std::string& key) {
  Request request;
  request.target = url.target;
  request.headers = std::move(headers);
  request.headers.push_back({"Connection", "Upgrade"});
  request.headers.push_back({"Upgrade", "websocket"});
  request.headers.push_back({"Sec-WebSocket-Version", "13"});
  request.headers.push_back({"Sec-WebSocket-Key", key});
  return request;
}

// 200 to everything that should have been 101 is what a server says that ignores Upgrade.
Error refused(const WebSocketUrl& url, const Response& response) {
  const int status = response.status;
  const ErrorType type = status == 401   ? ErrorType::kUnauthorized
                         : status == 403 ? ErrorType::kForbidden
                                         : ErrorType::kInternalError;
  Error error = make_error(type, fmt::format("{} did not open a WebSocket: it answered HTTP {} {}",
                                             url.to_string(), status, reason_phrase(status)))
                    .with("status", std::int64_t{status});
  error.details = response.body.substr(0, kMaxRefusalBytes);
  error.recoverable = status == 408 || status == 429 || status >= 500;
  return error;
}

Error not_websocket(const WebSocketUrl& url, std::string_view why) {
  return make_error(ErrorType::kInternalError,
                    fmt::format("{} did not open a WebSocket: {}", url.to_string(), why))
      .because("a proxy between here and the server does not know WebSocket")
      .with("errno", std::int64_t{EBADMSG});
}

}  // namespace

// The connection with its protocol; the timer's handler may outlive the client, this does not.
class WebSocketClient::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(std::unique_ptr<ClientConnection> connection, Headers answer,
       const WebSocketOptions& options, const std::string& peer)
      : connection_(std::move(connection)),
        answer_(std::move(answer)),
        options_(options),
        timer_(connection_->transport().executor()),
        socket_(connection_->transport(), scratch_, options_, peer, Side::kClient) {}

  void start(std::string early) {
    if (!early.empty()) socket_.feed(early);
    schedule();
  }
  WebSocketConnection& socket() { return socket_; }
  Transport& transport() { return connection_->transport(); }
  const Headers& answer() const { return answer_; }

 private:
  void schedule() {
    timer_.expires_after(kTick);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& failure) {
      const auto self = weak.lock();
      if (failure || !self) return;
      self->socket_.tick(WebSocketConnection::Clock::now());
      self->schedule();
    });
  }

  std::unique_ptr<ClientConnection> connection_;
  Headers answer_;
  WebSocketOptions options_;
  Scratch scratch_;
  asio::steady_timer timer_;
  WebSocketConnection socket_;
};

WebSocketClient::WebSocketClient(std::shared_ptr<Link> link) : link_(std::move(link)) {}

WebSocketClient::~WebSocketClient() { abandon(); }

Task<Result<std::unique_ptr<WebSocketClient>>> WebSocketClient::connect(
    asio::any_io_executor executor, WebSocketUrl url, Headers headers,
    WebSocketClientOptions options) {
  Result<std::unique_ptr<ClientConnection>> made =
      co_await ClientConnection::connect(executor, url.endpoint, options.connect_timeout);
  if (!made) co_return made.error();
  std::unique_ptr<ClientConnection> connection = std::move(*made);
  const std::string key = fresh_key();
  const Request request = handshake(url, std::move(headers), key);
  const std::string host = url.endpoint.authority();
  std::unique_ptr<ResponseParser> parser;
  ClientConnection& peer = *connection;
  const Result<ParseState> head =
      co_await peer.ask(request, host, parser, kMaxRefusalBody, options.handshake_timeout);
  if (!head) co_return head.error();
  if (parser->response().status != 101) {
    const Deadline deadline(executor, options.handshake_timeout,
                            [&peer] { peer.transport().close(); });
    ParseState state = *head;
    while (state != ParseState::kDone && parser->response().body.size() < kMaxRefusalBytes) {
      const Result<ParseState> next = co_await peer.advance(*parser);
      if (!next) break;
      state = *next;
    }
    co_return refused(url, parser->response());
  }
  const Response& answer = parser->response();
  if (!has_token(answer.headers, "Upgrade", "websocket") ||
      !has_token(answer.headers, "Connection", "upgrade")) {
    co_return not_websocket(url, "the answer 101 is to another protocol");
  }
  if (trimmed(answer.header("Sec-WebSocket-Accept")) != websocket_accept(key)) {
    co_return not_websocket(url, "Sec-WebSocket-Accept is not the answer to the key that was sent");
  }
  if (!answer.header("Sec-WebSocket-Extensions").empty()) {
    co_return not_websocket(url, "it uses an extension that was not asked for");
  }
  std::string early;
  if (connection->has_unread()) {
    Result<std::string> unread = co_await connection->read_raw();
    if (unread) early = std::move(*unread);
  }
  auto link = std::make_shared<Link>(std::move(connection), answer.headers, options.websocket,
                                     url.endpoint.authority());
  link->start(std::move(early));
  co_return std::unique_ptr<WebSocketClient>(new WebSocketClient(std::move(link)));
}

Task<std::vector<std::string>> WebSocketClient::receive() {
  const std::shared_ptr<Link> link = link_;
  co_return co_await link->socket().receive();
}

Task<Result<void>> WebSocketClient::send(std::span<const std::string_view> messages) {
  const std::shared_ptr<Link> link = link_;
  co_return co_await link->socket().send(messages);
}

void WebSocketClient::close(CloseCode code, std::string_view reason) {
  link_->socket().begin_close(code, reason);
}

void WebSocketClient::abandon() {
  Transport& transport = link_->transport();
  if (link_->socket().end().kind == WebSocketEnd::Kind::kSilent) return transport.reset();
  transport.close();
}

void WebSocketClient::ping(std::string_view payload) { link_->socket().ping(payload); }

std::string WebSocketClient::last_pong() const { return link_->socket().last_pong(); }

WebSocketClient::End WebSocketClient::ended() const {
  const WebSocketEnd& end = link_->socket().end();
  const std::string reason = end.reason.empty() ? "" : ": " + end.reason;
  switch (end.kind) {
    case WebSocketEnd::Kind::kClosedByPeer:
      if (!end.code) return {std::nullopt, "the server closed the connection"};
      return {end.code,
              fmt::format("the server closed the connection with code {}{}", *end.code, reason)};
    case WebSocketEnd::Kind::kProtocolError:
      return {std::nullopt, "the server sent what is no valid WebSocket message" + reason};
    case WebSocketEnd::Kind::kSilent:
      return {std::nullopt, "the server did not answer a ping in time"};
    case WebSocketEnd::Kind::kNotClosed:
      return {std::nullopt, "the server did not answer a close in time"};
    case WebSocketEnd::Kind::kOpen:
    case WebSocketEnd::Kind::kLost:
      break;
  }
  return {std::nullopt, "the connection was lost"};
}

const Headers& WebSocketClient::headers() const { return link_->answer(); }

}  // namespace relay::http
