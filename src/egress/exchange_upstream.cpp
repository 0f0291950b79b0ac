// An exchange towards its upstream: the request on its way out.
#include "egress/exchange.hpp"
#include "egress/outgoing_headers.hpp"
#include "http/message_format.hpp"

#include <array>
#include <limits>
#include <utility>

namespace relay::egress {
namespace {

using http::ParseState;

constexpr std::chrono::milliseconds kNoTimeOut{0};
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

}  // namespace

void Exchange::write_head(const Passage& passage, const std::string& credential) {
  const http::Request& request = parser_.request();
  http::Framing framing;
  framing.chunked = parser_.is_chunked();
  if (const auto length = parser_.content_length()) framing.content_length = *length;
  if (wants_websocket(request.headers)) framing.connection = "Upgrade";
  http::append_request_head(head_, request.method, outgoing_target(passage, credential),
                            outgoing_headers(request.headers, *passage.upstream, credential),
                            framing);
}

// What has come of the body since the last time, framed; with its end, when that has come.
void Exchange::take_body() {
  std::string part = parser_.take_body();
  account_.sent_bytes += part.size();
  body_ = framed(std::move(part), framing_of(parser_));
  if (complete_) body_ += end_of_body(parser_.trailers(), framing_of(parser_));
}

Task<Result<void>> Exchange::open() {
  upstream_ = connections_->take_kept();
  was_kept_ = upstream_ != nullptr;
  if (was_kept_) {
    // Whether it is still there shows when the answer is read.
    const std::array<std::string_view, 2> parts{head_, body_};
    const std::function<void()> nothing;
    upstream_->expect_answer();
    const bool written = co_await upstream_->transport().write_all(parts, nothing);
    is_sent_ = written && is_whole_;
    if (written) co_return Result<void>();
    was_kept_ = false;
  }
  co_return co_await connect();
}

// A new connection, and on it what is there of the request.
Task<Result<void>> Exchange::connect() {
  Result<UpstreamConnections::Connection> made = co_await connections_->connect();
  if (!made) co_return made.error();
  upstream_ = std::move(*made);
  const std::array<std::string_view, 2> parts{head_, body_};
  const std::function<void()> nothing;
  // An upstream that does not want all of it may have answered already: that is seen when it is
  // read.
  const bool written = co_await upstream_->transport().write_all(parts, nothing);
  is_sent_ = written && is_whole_;
  co_return Result<void>();
}

// A kept connection that turns out to be closed is replaced once, as long as the whole request is
// still here to be sent again.
Task<Result<ParseState>> Exchange::read_head() {
  const bool to_head = parser_.request().method == "HEAD";
  const auto sent_at = Clock::now();
  waiting_since_ = sent_at;
  Result<ParseState> state =
      co_await upstream_->read_head(response_, kNoLimit, to_head, kNoTimeOut);
  // One that has begun to work on it would be asked to do it twice.
  const bool is_repeatable = is_whole_ && (is_idempotent(parser_.request().method) ||
                                           Clock::now() - sent_at < kClosedAtOnce);
  const bool is_stale = !state && was_kept_ && is_repeatable && upstream_->is_lost() &&
                        !upstream_->got_bytes() && !agent_gone_ && !silent_;
  if (is_stale) {
    was_kept_ = false;
    const Result<void> opened = co_await connect();
    if (!opened) co_return opened.error();
    if (agent_gone_ || silent_) drop_upstream();
    waiting_since_ = Clock::now();
    state = co_await upstream_->read_head(response_, kNoLimit, to_head, kNoTimeOut);
  }
  waiting_since_.reset();
  co_return state;
}

// The rest of the body; then watches whether anybody still waits for the answer.
Task<void> Exchange::upload() {
  const std::function<void()> nothing;
  while (!complete_) {
    const http::ParseStep step = co_await agent_.advance(parser_);
    if (step.state == ParseState::kFailed) {
      if (step.status == AgentLink::kCancelled) co_return;
      if (step.status == AgentLink::kGone) {
        agent_gone_ = true;
      } else {
        bad_body_ = step;
      }
      drop_upstream();
      co_return;
    }
    complete_ = step.state == ParseState::kDone;
    take_body();
    const std::array<std::string_view, 1> parts{body_};
    const bool written = co_await upstream_->transport().write_all(parts, nothing);
    if (!written) co_return;  // the answer says why, or its absence
    is_sent_ = complete_;
  }
  const bool ended = co_await agent_.ended();
  if (!ended) co_return;
  agent_gone_ = true;
  drop_upstream();
}

Task<void> Exchange::watch_silence() {
  for (;;) {
    const Clock::time_point since = waiting_since_.value_or(Clock::now());
    const auto left = since + surroundings_.silence - Clock::now();
    if (left <= Clock::duration::zero()) break;
    const bool passed = co_await sleep_for(left);
    if (!passed) co_return;
  }
  silent_ = true;
  drop_upstream();
}

// Wakes whoever waits for it.
void Exchange::drop_upstream() {
  if (upstream_) upstream_->transport().close();
}

}  // namespace relay::egress
