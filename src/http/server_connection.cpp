#include "http/server_connection.hpp"

#include "base/turn.hpp"
#include "http/http_exchange.hpp"
#include "http/message_format.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <limits>
#include <utility>

namespace relay::http {

namespace {

constexpr std::chrono::milliseconds kLingerTime{2'000};  // for the peer to read a refusal
constexpr std::size_t kLingerBytes = 256u << 20;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kReadCost = 1u << 10;        // a read takes time, however little it brings
constexpr int kLooksForPeer = 8;                   // within the time it has
constexpr std::size_t kMaxReadAhead = 256u << 10;  // pipelined while a handler runs

}  // namespace

// A request and what is known of it besides its content.
struct ServerConnection::Incoming {
  Request request;
  HttpExchange::Version version = HttpExchange::Version::kHttp11;
  bool keep_alive = false;
};

ServerConnection::ServerConnection(ServerCore& core, Transport::Socket socket, std::string peer,
                                   unsigned short local_port)
    : core_(core),
      transport_(std::move(socket)),
      place_(core.connections.insert(core.connections.end(), this)),
      peer_(std::move(peer)),
      local_port_(local_port) {}

ServerConnection::~ServerConnection() { core_.connections.erase(place_); }

void ServerConnection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = Clock::now() + from_now;
}

void ServerConnection::clear_deadline() { deadline_ = Clock::time_point::max(); }

// Not at every tick: it is a system call for each connection.
bool ServerConnection::lost_its_peer(Clock::time_point now) {
  if (now < next_look_ || !transport_.is_open()) return false;
  next_look_ = now + core_.options.lost_peer_time / kLooksForPeer;
  const Acknowledgements seen = acknowledgements(transport_.socket().native_handle());
  return silence_.look(seen, now) >= core_.options.lost_peer_time;
}

void ServerConnection::tick(Clock::time_point now) {
  if (lost_its_peer(now)) {
    core_.log.debug("the peer is gone without a word", {{"peer", peer_}});
    return transport_.reset();
  }
  if (websocket_) websocket_->tick(now);
  if (now < deadline_) return;
  clear_deadline();
  expired_ = true;
  if (is_shaking_hands_) return transport_.close();
  transport_.cancel();
}

void ServerConnection::end_if_idle() {
  if (!idle_) return;
  expired_ = true;
  transport_.cancel();
}

void ServerConnection::going_away() {
  if (websocket_) websocket_->abandon();
}

Task<void> ServerConnection::serve() {
  if (core_.tls) {
    transport_.start_tls(core_.tls->accept(transport_.socket().native_handle()));
    set_deadline(core_.options.header_timeout);
    is_shaking_hands_ = true;
    const IoState state = co_await transport_.handshake();
    is_shaking_hands_ = false;
    clear_deadline();
    if (state != IoState::kDone) {
      core_.log.debug("TLS handshake failed",
                      {{"peer", peer_}, {"reason", transport_.tls_failure()}});
      co_return;
    }
  }
  for (;;) {
    const bool more = co_await serve_one();
    if (!more) break;
    // Requests that come faster than they are answered would be all that the loop has.
    if (!pending_.empty() || !waited_) co_await let_others();
  }
  if (!pending_.empty()) co_await linger();
  transport_.shutdown_send();
}

// Reads one request and has it answered. False: the connection is over.
Task<bool> ServerConnection::serve_one() {
  waited_ = false;
  Incoming incoming;
  const bool got = co_await read_request(incoming);
  if (!got) co_return false;
  served_ = true;
  const bool more = co_await answer(incoming);
  co_return more;
}

Task<bool> ServerConnection::answer(Incoming& incoming) {
  HttpExchange exchange(*this, std::move(incoming.request), incoming.version,
                        incoming.keep_alive && !core_.stopping);
  bool failed = false;
  std::string what = "the handler returned without an answer";
  std::exception_ptr thrown;
  try {
    co_await core_.handler(exchange);
  } catch (const std::exception& error) {
    thrown = std::current_exception();
    failed = true;
    what = error.what();
  } catch (...) {
    thrown = std::current_exception();
    failed = true;
    what = "an exception that is no std::exception";
  }
  if (thrown) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) std::rethrow_exception(thrown);
  }
  if (failed || exchange.state() == HttpExchange::State::kWaiting) {
    core_.log.error("request handler failed", {{"method", exchange.request().method},
                                               {"path", exchange.request().path},
                                               {"reason", what}});
  }
  if (exchange.state() == HttpExchange::State::kWaiting) {
    co_await send_error(500, "the server failed to answer; its log says why");
    co_return false;
  }
  if (websocket_) {
    if (failed) websocket_->begin_close(CloseCode::kInternal, "");
    co_await websocket_->finish();
    co_return false;
  }
  co_return exchange.keep_alive();
}

HeadVerdict ServerConnection::judge(Request& head) const {
  head.peer = peer_;
  head.local_port = local_port_;
  return core_.options.judge_head ? core_.options.judge_head(head) : HeadVerdict();
}

Task<bool> ServerConnection::read_request(Incoming& incoming) {
  const ServerOptions& options = core_.options;
  std::optional<RequestParser> parser;
  BodyBudget::Share share(options.body_budget.get());
  const std::chrono::milliseconds patience =
      served_ ? options.keep_alive_timeout
              : std::min(options.header_timeout, options.keep_alive_timeout);
  set_deadline(patience);
  Clock::time_point began, in_body_since;
  bool in_body = false;
  std::string_view fresh = pending_;  // received, not fed: pending_ itself or the shared scratch
  std::size_t empty_bytes = 0;
  std::size_t came = 0;  // with the last read
  Turn turn;
  for (;;) {
    ParseStep step;
    if (!parser) {
      // Empty lines begin no request: the connection stays as idle as it was.
      const std::size_t empty = empty_lines(fresh);
      fresh.remove_prefix(empty);
      empty_bytes += empty;
      if (empty_bytes > options.max_header_bytes) {
        step = only_empty_lines();
      } else if (!fresh.empty() && fresh != "\r") {
        // How large a body may be is known when its head is.
        parser.emplace(options.max_header_bytes, std::numeric_limits<std::size_t>::max());
        began = Clock::now();
        set_deadline(options.header_timeout);
      }
    }
    if (parser && !fresh.empty()) {
      step = parser->feed(fresh);
      fresh.remove_prefix(step.consumed);
    }
    keep(fresh);
    fresh = pending_;
    if (step.state == ParseState::kHead) {
      HeadVerdict verdict = judge(parser->request());
      if (verdict.refusal) {
        co_await send_refusal(std::move(*verdict.refusal));
        co_return false;
      }
      const ParseStep limited =
          parser->limit_body(verdict.max_body_bytes.value_or(options.max_body_bytes));
      if (limited.state == ParseState::kFailed) step = limited;
    }
    if (in_body && step.state != ParseState::kFailed && !share.resize(parser->body_bytes())) {
      step = {ParseState::kFailed, 0, 503, "the requests under way are as large as may be"};
    }
    if (step.state == ParseState::kFailed) {
      co_await send_error(step.status, std::move(step.explanation));
      co_return false;
    }
    if (step.state == ParseState::kDone) break;
    if (step.state == ParseState::kHead) {
      in_body = true;
      in_body_since = Clock::now();
      if (fresh.empty() && parser->expects_continue()) {
        const std::array<std::string_view, 1> parts{kContinue};
        const bool written = co_await write(parts);
        if (!written) co_return false;
      }
      if (!fresh.empty()) continue;
    }
    if (in_body) {
      deadline_ = options.pace.deadline(began, in_body_since, parser->body_bytes(), Clock::now());
    }
    idle_ = !parser;
    if (idle_ && core_.stopping && served_) co_return false;
    if (turn.is_over(came)) co_await let_others();
    const std::size_t kept = pending_.size();
    const Read read = co_await read_more(fresh);
    came = fresh.size() - kept + kReadCost;
    idle_ = false;
    if (read == Read::kEnd) co_return false;
    if (read == Read::kExpired) {
      if (!parser) co_return false;
      co_await send_error(408, in_body ? "the body came too slowly" : "the head came too slowly");
      co_return false;
    }
  }
  clear_deadline();
  incoming.keep_alive = parser->keep_alive();
  incoming.version =
      parser->is_http_1_0() ? HttpExchange::Version::kHttp10 : HttpExchange::Version::kHttp11;
  incoming.request = std::move(parser->request());
  incoming.request.peer = peer_;
  incoming.request.local_port = local_port_;
  co_return true;
}

// What has not been consumed stays; it lies at the end of pending_ or in the shared scratch.
void ServerConnection::keep(std::string_view unconsumed) {
  if (unconsumed.empty()) {
    pending_ = std::string();
  } else if (unconsumed.data() >= pending_.data() &&
             unconsumed.data() < pending_.data() + pending_.size()) {
    pending_.erase(0, pending_.size() - unconsumed.size());
  } else {
    pending_.assign(unconsumed);
  }
}

// Sets `fresh` to all that is not consumed, in pending_ when that held something, else in the
// scratch.
Task<ServerConnection::Read> ServerConnection::read_more(std::string_view& fresh) {
  IoState state = IoState::kWaitRead;
  // Reading a body, more is likely to be there; TLS may have decrypted more than was asked for.
  bool attempt = !idle_ || transport_.is_tls();
  for (;;) {
    if (std::exchange(expired_, false)) co_return Read::kExpired;
    if (attempt) {
      const IoStep step = transport_.try_read(core_.scratch.in);
      if (step.state == IoState::kDone) {
        fresh = {core_.scratch.in.data(), step.bytes};
        if (!pending_.empty()) fresh = pending_.append(fresh);
        co_return Read::kData;
      }
      if (!would_block(step.state)) co_return Read::kEnd;
      state = step.state;
    }
    attempt = true;
    const bool ready = co_await readiness_.wait(state);
    waited_ = true;
    if (!ready && !expired_) co_return Read::kEnd;
  }
}

// For who reads what is there already. A deadline that passes meanwhile shows in expired_ only.
Task<void> ServerConnection::let_others() {
  co_await asio::post(transport_.executor(), asio::use_awaitable);
  waited_ = true;
}

Task<bool> ServerConnection::write(std::span<const std::string_view> parts) {
  const std::function<void()> extend = [this] { set_deadline(core_.options.pace.pause); };
  const bool written = co_await transport_.write_all(parts, extend);
  clear_deadline();
  co_return written && !expired_;
}

ServerConnection::Ahead ServerConnection::read_ahead() {
  for (;;) {
    const IoStep step = transport_.try_read(core_.scratch.in);
    if (would_block(step.state)) return Ahead::kMore;
    if (step.state != IoState::kDone) {
      return step.state == IoState::kEnd ? Ahead::kEnd : Ahead::kLost;
    }
    pending_.append(core_.scratch.in.data(), step.bytes);
    if (pending_.size() > kMaxReadAhead) return Ahead::kLost;
    if (!step.more) return Ahead::kMore;
  }
}

bool ServerConnection::send_interim() {
  const iovec part{const_cast<char*>(kContinue.data()), kContinue.size()};
  const IoStep step = transport_.try_write(std::span(&part, 1));
  return step.state == IoState::kDone && step.bytes == kContinue.size();
}

WebSocket& ServerConnection::upgrade() {
  clear_deadline();
  websocket_ = std::make_unique<WebSocketConnection>(
      transport_, core_.scratch, core_.options.websocket, peer_, Side::kServer,
      IncomingLimits{core_.options.pace, core_.options.body_budget.get()});
  std::string early = std::move(pending_);
  pending_ = std::string();
  if (!early.empty()) websocket_->feed(early);
  return *websocket_;
}

Task<void> ServerConnection::send_error(int status, std::string explanation) {
  Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  if (status == 503) response.headers.push_back({"Retry-After", "5"});
  response.body = core_.error_body(status, explanation);
  co_await send_refusal(std::move(response));
}

// The connection is over with it: what else comes belongs to the refused request.
Task<void> ServerConnection::send_refusal(Response response) {
  core_.log.debug("request refused", {{"peer", peer_}, {"status", response.status}});
  Framing framing;
  framing.content_length = response.body.size();
  framing.connection = "close";
  framing.date = core_.date();
  std::string text;
  append_response_head(text, response.status, response.headers, framing);
  text.append(response.body);
  const std::array<std::string_view, 1> parts{text};
  expired_ = false;
  const bool written = co_await write(parts);
  if (written) co_await linger();
}

// Closing a socket with unread input resets it, and the peer might never see the answer.
Task<void> ServerConnection::linger() {
  transport_.shutdown_send();
  pending_ = std::string();
  set_deadline(kLingerTime);
  for (std::size_t total = 0; total < kLingerBytes;) {
    const IoStep step = transport_.try_read(core_.scratch.in);
    if (step.state == IoState::kDone) {
      total += step.bytes;
    } else if (!would_block(step.state)) {
      co_return;
    }
    // Also after a success, so that a fast sender does not keep the loop to itself.
    const IoState next = step.state == IoState::kDone ? IoState::kWaitRead : step.state;
    if (step.more && transport_.is_tls()) continue;
    const auto [failure] = co_await transport_.wait(next);
    if (failure || expired_) co_return;
  }
}

Task<void> ServerConnection::refuse() {
  if (core_.tls) co_return;
  set_deadline(kLingerTime);
  co_await send_error(503, "the server has as many connections as it takes; try again later");
}

}  // namespace relay::http
