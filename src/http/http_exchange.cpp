#include "http/http_exchange.hpp"

#include "http/connection_watch.hpp"
#include "http/header_fields.hpp"
#include "http/message_format.hpp"
#include "http/sizes.hpp"
#include "http/websocket_handshake.hpp"

#include <array>

namespace relay::http {

namespace {

Error peer_lost() {
  return make_error(ErrorType::kInternalError, "the peer closed the connection");
}

Error misuse(const char* what) { return make_error(ErrorType::kInternalError, what); }

bool has_no_body(int status) { return status / 100 == 1 || status == 204 || status == 304; }

}  // namespace

HttpExchange::HttpExchange(ServerConnection& connection, Request request, Version version,
                           bool keep_alive)
    : connection_(connection),
      request_(std::move(request)),
      version_(version),
      keep_alive_(keep_alive),
      is_head_(request_.method == "HEAD") {}

std::string_view HttpExchange::connection_header() const {
  if (!keep_alive_) return "close";
  return version_ == Version::kHttp10 ? "keep-alive" : "";
}

void HttpExchange::settle_keep_alive(const Response& response) {
  if (connection_.core().stopping || has_token(response.headers, "Connection", "close")) {
    keep_alive_ = false;
  }
}

Task<Result<void>> HttpExchange::respond(Response response) {
  if (state_ != State::kWaiting) co_return misuse("the request has an answer already");
  settle_keep_alive(response);
  Framing framing;
  if (!has_no_body(response.status)) framing.content_length = response.body.size();
  framing.connection = connection_header();
  framing.date = connection_.core().date();
  const bool send_body = !is_head_ && !has_no_body(response.status);
  const bool copy = send_body && response.body.size() < kCopyBelow;
  std::string head;
  head.reserve(512 + (copy ? response.body.size() : 0));
  append_response_head(head, response.status, response.headers, framing);
  if (copy) head.append(response.body);
  std::array<std::string_view, 2> parts{head, ""};
  if (send_body && !copy) parts[1] = response.body;
  state_ = State::kAnswered;
  const bool written = co_await connection_.write(parts);
  if (!written) {
    state_ = State::kLost;
    co_return peer_lost();
  }
  co_return Result<void>();
}

Task<Result<void>> HttpExchange::start_stream(Response head) {
  if (state_ != State::kWaiting) co_return misuse("the request has an answer already");
  if (version_ == Version::kHttp10) keep_alive_ = false;
  settle_keep_alive(head);
  Framing framing;
  framing.chunked = version_ == Version::kHttp11 && !has_no_body(head.status);
  framing.connection = connection_header();
  framing.date = connection_.core().date();
  std::string text;
  append_response_head(text, head.status, head.headers, framing);
  const std::array<std::string_view, 1> parts{text};
  state_ = State::kStreaming;
  const bool written = co_await connection_.write(parts);
  if (!written) {
    state_ = State::kLost;
    co_return peer_lost();
  }
  co_return Result<void>();
}

Task<Result<void>> HttpExchange::write(std::string_view bytes) {
  if (state_ == State::kLost) co_return peer_lost();
  if (state_ != State::kStreaming) co_return misuse("no streamed answer has been started");
  if (bytes.empty() || is_head_) co_return Result<void>();
  std::string text;
  std::array<std::string_view, 3> parts{bytes};
  if (version_ == Version::kHttp11) {
    text = chunk_head(bytes.size());
    if (bytes.size() < kCopyBelow) {
      text.append(bytes).append(kChunkEnd);
      parts = {text};
    } else {
      parts = {text, bytes, kChunkEnd};
    }
  }
  const bool written = co_await connection_.write(parts);
  if (!written) {
    state_ = State::kLost;
    co_return peer_lost();
  }
  co_return Result<void>();
}

Task<Result<void>> HttpExchange::finish() {
  if (state_ == State::kLost) co_return peer_lost();
  if (state_ != State::kStreaming) co_return misuse("no streamed answer has been started");
  state_ = State::kAnswered;
  if (is_head_ || version_ == Version::kHttp10) co_return Result<void>();
  const std::array<std::string_view, 1> parts{kLastChunk};
  const bool written = co_await connection_.write(parts);
  if (!written) {
    state_ = State::kLost;
    co_return peer_lost();
  }
  co_return Result<void>();
}

std::unique_ptr<PeerWatch> HttpExchange::watch_peer(HalfClosed half_closed, PeerEvents events) {
  std::function<bool()> probe;
  if (half_closed == HalfClosed::kListensOn) {
    probe = [this] { return this->probe(); };
    // It is lost, or floods the connection: what else it asked for is not answered.
    events.gone = [this, gone = std::move(events.gone)] {
      keep_alive_ = false;
      if (gone) gone();
    };
  }
  return std::make_unique<ConnectionWatch>(connection_, std::move(events), std::move(probe));
}

// A client of HTTP/1.0 knows no interim responses.
bool HttpExchange::probe() {
  if (state_ != State::kWaiting || version_ != Version::kHttp11) return true;
  return connection_.send_interim();
}

bool HttpExchange::wants_websocket() const { return asks_for_websocket(request_); }

Task<Result<WebSocket*>> HttpExchange::accept_websocket(std::string subprotocol, Headers extra) {
  if (state_ != State::kWaiting) co_return misuse("the request has an answer already");
  HandshakeAnswer answer = answer_handshake(request_);
  if (version_ == Version::kHttp10) answer = {400, {}, "a WebSocket handshake needs HTTP/1.1"};
  if (answer.status != 101) {
    Response refusal;
    refusal.status = answer.status;
    refusal.headers.push_back({"Content-Type", "application/json"});
    if (answer.status == 426) {
      refusal.headers.push_back({"Upgrade", "websocket"});
      refusal.headers.push_back({"Sec-WebSocket-Version", "13"});
    }
    refusal.body = connection_.core().error_body(answer.status, answer.explanation);
    const Result<void> sent = co_await respond(std::move(refusal));
    if (!sent) co_return sent.error();
    co_return make_error(ErrorType::kInvalidRequest, answer.explanation);
  }
  Headers headers{{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", answer.accept}};
  if (!subprotocol.empty()) headers.push_back({"Sec-WebSocket-Protocol", std::move(subprotocol)});
  for (Header& header : extra) headers.push_back(std::move(header));
  Framing framing;
  framing.connection = "Upgrade";
  framing.date = connection_.core().date();
  std::string text;
  append_response_head(text, 101, headers, framing);
  const std::array<std::string_view, 1> parts{text};
  const bool written = co_await connection_.write(parts);
  if (!written) {
    state_ = State::kLost;
    co_return peer_lost();
  }
  state_ = State::kWebSocket;
  request_.headers = Headers();  // nobody needs them, and the connection may last
  co_return &connection_.upgrade();
}

}  // namespace relay::http
