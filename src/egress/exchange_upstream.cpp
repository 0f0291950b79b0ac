// An exchange towards its upstream: the request on its way out.
#include "base/turn.hpp"
#include "egress/exchange.hpp"
#include "egress/outgoing_headers.hpp"
#include "http/header_fields.hpp"
#include "http/message_format.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace relay::egress {
namespace {

using http::ParseState;

constexpr int kUnauthorized = 401;
constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

// A kept connection that its server had closed says so at once.
constexpr std::chrono::milliseconds kClosedAtOnce{1'000};

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

BodyFraming framing_of(const http::RequestParser& parser) {
  return parser.is_chunked() ? BodyFraming::kChunked : BodyFraming::kPlain;
}

AnswerForm form_for(const Meter& meter) {
  return meter.counts_tokens() ? AnswerForm::kReadable : AnswerForm::kAsAsked;
}

// Why is known to the exchange (Exchange::explained).
Error given_up() {
  return make_error(ErrorType::kInternalError, "the request is given up")
      .with("errno", std::int64_t{ECONNABORTED});
}

}  // namespace

void Exchange::write_head() {
  const http::Request& request = parser_.request();
  http::Framing framing;
  framing.chunked = parser_.is_chunked();
  if (const auto length = parser_.content_length()) framing.content_length = *length;
  if (wants_websocket(request.headers)) framing.connection = "Upgrade";
  const AnswerForm form = form_for(*meter_);
  head_.clear();
  http::append_request_head(
      head_, request.method, outgoing_target(passage_, credential_, form),
      outgoing_headers(request.headers, *passage_.upstream, credential_, form), framing);
}

// What has come of the body since the last time, framed; with its end, when that has come. False:
// the session may send no more.
bool Exchange::take_body() {
  std::string part = parser_.take_body();
  account_.sent_bytes += part.size();
  std::optional<Denial> over = meter_->sent(part.size());
  body_ = framed(std::move(part), framing_of(parser_));
  if (complete_) {
    body_ += end_of_body(outgoing_trailers(parser_.trailers(), parser_.request().headers,
                                           *passage_.upstream, form_for(*meter_)),
                         framing_of(parser_));
  }
  if (over) cut(std::move(*over));
  return !cut_;
}

// Not for an agent that has left, nor for what has been cut: a credential may be long in coming.
Task<Result<void>> Exchange::open() {
  if (cut_ || gone_.happened()) co_return given_up();
  upstream_ = connections_->take_kept(surroundings_.session);
  was_kept_ = upstream_ != nullptr;
  if (was_kept_) {
    // Whether it is still there shows when the answer is read.
    upstream_->expect_answer();
    const bool written = co_await write_request();
    is_sent_ = written && is_whole_;
    if (written) co_return Result<void>();
    was_kept_ = false;  // it broke, or was dropped
  }
  co_return co_await connect();
}

// A new connection, and on it what is there of the request. Under the same conditions.
Task<Result<void>> Exchange::connect() {
  using namespace boost::asio::experimental::awaitable_operators;
  upstream_.reset();  // one that broke has no place of its own any more
  if (cut_ || gone_.happened()) co_return given_up();
  auto connecting = connections_->connect(surroundings_.session);
  auto leaving = agent_leaves();
  auto first = co_await (std::move(connecting) || std::move(leaving));
  if (first.index() != 0) gone_.happen();
  if (cut_ || gone_.happened()) co_return given_up();
  Result<UpstreamConnections::Connection> made = std::get<0>(std::move(first));
  if (!made) co_return made.error();
  upstream_ = std::move(*made);
  // An upstream that does not want all of it may have answered already: that is seen when it is
  // read.
  const bool written = co_await write_request();
  is_sent_ = written && is_whole_;
  co_return Result<void>();
}

// In one piece: one record of TLS, one segment.
Task<bool> Exchange::write_request() {
  const std::string whole = head_ + body_;
  waiting_since_ = Clock::now();
  const bool written = co_await write_upstream(whole);
  waiting_since_.reset();
  co_return written;
}

// An upstream that takes what it is sent is not silent.
Task<bool> Exchange::write_upstream(std::string_view bytes) {
  const std::array<std::string_view, 1> parts{bytes};
  const std::function<void()> taken = [this] {
    if (waiting_since_ && !waits_for_agent_) waiting_since_ = Clock::now();
  };
  const bool written = co_await upstream_->transport().write_all(parts, taken);
  if (written) taken();
  co_return written;
}

// Returns when it does.
Task<void> Exchange::agent_leaves() {
  if (complete_ || is_uploading_) {
    co_await gone_.wait();
    co_return;
  }
  const bool ended = co_await agent_.ended();
  // What is there is the rest of the body, which waits for the connection.
  if (ended && agent_.has_unread()) co_await agent_.transport().wait_for_failure();
}

// The head of the answer. A credential that the upstream refuses is had again, and where that gives
// another one the request is sent once more, as long as all of it is still here.
Task<Result<ParseState>> Exchange::read_answer() {
  Result<ParseState> state = co_await read_head();
  const Upstream& upstream = *passage_.upstream;
  const bool is_refused = state && response_->response().status == kUnauthorized &&
                          upstream.credential.kind != CredentialPlace::Kind::kNone;
  if (!is_refused) co_return state;
  surroundings_.refused(upstream, credential_);
  if (!is_whole_) co_return state;
  Result<std::string> renewed = co_await surroundings_.credential(upstream, credential_);
  if (!renewed || *renewed == credential_ || gone_.happened()) co_return state;
  credential_ = std::move(*renewed);
  write_head();
  const Result<void> opened = co_await open();
  if (!opened) co_return opened.error();
  co_return co_await read_head();
}

// A kept connection that turns out to be closed is replaced once, as long as the whole request is
// still here to be sent again.
Task<Result<ParseState>> Exchange::read_head() {
  const bool to_head = parser_.request().method == "HEAD";
  const auto sent_at = Clock::now();
  waiting_since_ = sent_at;
  Result<ParseState> state = co_await upstream_->read_head(response_, kNoLimit, to_head);
  // One that has begun to work on it would be asked to do it twice.
  const bool is_repeatable = is_whole_ && (is_idempotent(parser_.request().method) ||
                                           Clock::now() - sent_at < kClosedAtOnce);
  const bool is_stale = !state && was_kept_ && is_repeatable && upstream_->is_lost() &&
                        !upstream_->got_bytes() && !gone_.happened() && !cut_;
  if (is_stale) {
    was_kept_ = false;
    waiting_since_.reset();
    const Result<void> opened = co_await connect();
    if (!opened) co_return opened.error();
    waiting_since_ = Clock::now();
    state = co_await upstream_->read_head(response_, kNoLimit, to_head);
  }
  waiting_since_.reset();
  if (state && response_->response().status == kSwitchingProtocols && !is_switch_wanted()) {
    co_return make_error(ErrorType::kInternalError, "it changes to a protocol not asked for")
        .with("errno", std::int64_t{EBADMSG});
  }
  co_return state;
}

bool Exchange::is_switch_wanted() const {
  return wants_websocket(parser_.request().headers) &&
         http::has_token(response_->response().headers, "Upgrade", "websocket");
}

// The rest of the body.
Task<void> Exchange::upload() {
  Turn turn;
  while (!complete_) {
    waits_for_body_ = true;
    const http::ParseStep step = co_await agent_.advance(parser_);
    waits_for_body_ = false;
    if (step.state == ParseState::kFailed) {
      if (step.status == AgentLink::kGone) {
        agent_left();
      } else if (step.status != AgentLink::kCancelled) {
        cut({Refusal::kBadRequest, step.status, step.explanation, "", ""});
      }
      co_return;
    }
    complete_ = step.state == ParseState::kDone;
    const bool fits = take_body();
    if (!fits) co_return;
    const bool written = co_await write_upstream(body_);
    if (!written) co_return;  // the answer says why, or its absence
    is_sent_ = complete_;
    if (turn.is_over(body_.size())) co_await let_others();
  }
  watch_agent();
}

// Of which all has been read: does anybody still wait for the answer?
void Exchange::watch_agent() {
  agent_.watch([this] { agent_left(); });
}

void Exchange::agent_left() {
  gone_.happen();
  drop_upstream();
}

void Exchange::tick(Clock::time_point now) {
  if (!waiting_since_) return;
  const bool for_agent = is_tunnel_ || waits_for_agent_;
  if (now - *waiting_since_ < (for_agent ? surroundings_.idle : surroundings_.silence)) return;
  const std::string& name = account_.upstream;
  const std::string key = "egress.idle_timeout";
  const std::string remedy = "Ask again, or allow more time.";
  if (waits_for_agent_) {
    cut({Refusal::kTimedOut, 504, "the agent has not read what " + name + " says for too long", key,
         remedy});
  } else if (is_tunnel_) {
    cut({Refusal::kTimedOut, 504, "nothing was said in a connection to " + name + " for too long",
         key, remedy});
  } else if (waits_for_body_ && !is_answering_) {
    cut({Refusal::kTimedOut, 504, "the agent has sent nothing more of its request for too long",
         "egress.silence", "Send it faster, or grant it more time."});
  } else {
    cut({Refusal::kTimedOut, 504, name + " has said nothing for too long", "egress.silence",
         "Try again, or grant it more time."});
  }
}

// The first reason holds. While there is no answer it is told to the agent, later the agent's
// connection ends, though it may not have read what is there.
void Exchange::cut(Denial why) {
  if (!cut_) cut_ = std::move(why);
  drop_upstream();
  if (is_answering_ || waits_for_agent_) agent_.transport().cancel();
}

// Wakes whoever waits for it.
void Exchange::drop_upstream() {
  if (upstream_) upstream_->transport().close();
}

}  // namespace relay::egress
