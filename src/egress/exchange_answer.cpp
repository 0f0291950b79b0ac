// An exchange towards its agent: the answer on its way back.
#include "base/turn.hpp"
#include "egress/exchange.hpp"
#include "egress/outgoing_headers.hpp"
#include "http/message_format.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace relay::egress {
namespace {

constexpr int kNoContent = 204;

bool may_have_body(std::string_view method, int status) {
  constexpr int kNotModified = 304;
  return method != "HEAD" && status != kNoContent && status != kNotModified;
}

}  // namespace

using http::ParseState;

// True: it came to its end, and the agent's connection may go on.
Task<bool> Exchange::answer(ParseState state) {
  const http::Response& response = response_->response();
  const bool has_body = may_have_body(parser_.request().method, response.status);
  http::Framing framing;
  if (const auto length = response_->content_length()) {
    if (response.status != kNoContent) framing.content_length = *length;
  }
  const bool has_end = framing.content_length || !has_body;
  framing.chunked = !has_end && !parser_.is_http_1_0();
  const bool ends_with_connection = !has_end && !framing.chunked;
  // The rest of a body that still comes is not read.
  const bool may_go_on = complete_ && parser_.keep_alive() && !ends_with_connection;
  if (!may_go_on) framing.connection = "close";
  std::string head;
  http::append_response_head(head, response.status, answered_headers(response.headers, credential_),
                             framing);
  if (!has_body) {
    const AnswerParts alone{head, {}, {}};
    is_passed_ = co_await write_answer(alone);
    lingers_ = is_passed_ && !complete_;
    co_return (is_passed_ && may_go_on);
  }
  const BodyFraming body = framing.chunked ? BodyFraming::kChunked : BodyFraming::kPlain;
  // What has come of the body goes with the head.
  Result<ParseState> begun = state;
  if (state != ParseState::kDone) begun = upstream_->feed_unread(*response_).value_or(state);
  const bool stays = co_await answer_body(std::move(head), begun, body);
  lingers_ = is_passed_ && !complete_;
  co_return (stays && may_go_on);
}

// `ahead` is the answer's head.
Task<bool> Exchange::answer_body(std::string ahead, Result<ParseState> state, BodyFraming framing) {
  Turn turn;
  for (;;) {
    const std::string part = std::exchange(response_->response().body, {});
    if (!count_answer(part)) {
      account_.denial = cut_;
      if (is_answering_) co_return false;
      co_await end_helpers();
      co_return co_await refuse(*cut_);
    }
    const bool is_chunk = framing == BodyFraming::kChunked && !part.empty();
    if (is_chunk) ahead += http::chunk_head(part.size());
    std::string behind(is_chunk ? http::kChunkEnd : "");
    const bool is_last = state && *state == ParseState::kDone;
    if (is_last) {
      const http::Headers& trailers = response_->trailers();
      behind += end_of_body(trailers.empty() ? trailers : answered_headers(trailers, credential_),
                            framing);
    }
    if (!ahead.empty() || !part.empty() || !behind.empty()) {
      const AnswerParts parts{ahead, part, behind};
      const bool written = co_await write_answer(parts);
      if (!written) co_return false;
      ahead.clear();
    }
    if (is_last) {
      is_passed_ = true;
      co_return true;
    }
    if (!state) {
      if (!gone_.happened()) account_.denial = explained(state.error());
      co_return false;
    }
    if (turn.is_over(part.size())) co_await let_others();
    waiting_since_ = Clock::now();
    state = co_await upstream_->advance(*response_);
    waiting_since_.reset();
  }
}

Task<void> Exchange::let_others() {
  co_await asio::post(agent_.transport().executor(), asio::use_awaitable);
}

Task<bool> Exchange::write_answer(AnswerParts parts) {
  is_answering_ = true;
  co_return co_await write_agent(parts);
}

// False: the agent is gone, or does not read for too long, or the answer has been cut off.
Task<bool> Exchange::write_agent(AnswerParts parts) {
  waits_for_agent_ = true;
  waiting_since_ = Clock::now();
  const bool written = co_await agent_.write(parts);
  waits_for_agent_ = false;
  if (!is_tunnel_) waiting_since_.reset();
  if (!written) account_.denial = cut_;
  co_return written;
}

// Of the answer's body, before it is passed on. False: the session may have no more of it.
bool Exchange::count_answer(std::string_view part) {
  account_.received_bytes += part.size();
  std::optional<Denial> over = meter_->received(part.size());
  usage_.feed(part);
  const std::uint64_t tokens = usage_.tokens();
  if (tokens > account_.tokens) {
    meter_->took(tokens - account_.tokens);
    account_.tokens = tokens;
  }
  if (over) cut(std::move(*over));
  return !cut_;
}

// Of the answer to an upgrade.
std::string Exchange::switching_head() {
  const http::Response& response = response_->response();
  http::Headers headers = answered_headers(response.headers, credential_);
  headers.push_back({"Upgrade", "websocket"});
  http::Framing framing;
  framing.connection = "Upgrade";
  std::string head;
  http::append_response_head(head, response.status, headers, framing);
  return head;
}

// Bytes both ways until one side ends.
Task<void> Exchange::tunnel(std::string head) {
  const AnswerParts alone{head, {}, {}};
  const bool written = co_await write_answer(alone);
  if (!written) co_return;
  is_tunnel_ = true;
  usage_ = UsageReader(UsageReader::Of::kManyAnswers);
  waiting_since_ = Clock::now();
  helpers_.spawn("to upstream", [this]() -> Task<void> {
    co_await tunnel_to_upstream();
    drop_upstream();
  });
  co_await tunnel_to_agent();
  account_.denial = cut_;
}

// An answer that is under way when the tokens are used up comes to its end, a further one does not.
Task<void> Exchange::tunnel_to_agent() {
  Turn turn;
  for (;;) {
    const Result<std::string> bytes = co_await upstream_->read_raw();
    if (!bytes || bytes->empty()) co_return;
    waiting_since_ = Clock::now();
    std::optional<Denial> spent = meter_->out_of_tokens();
    const std::uint64_t before = account_.tokens;
    const bool within = count_answer(*bytes);
    if (!within) co_return;
    if (spent && account_.tokens > before) {
      cut(std::move(*spent));
      co_return;
    }
    const AnswerParts alone{*bytes, {}, {}};
    const bool passed = co_await write_answer(alone);
    if (!passed) co_return;
    if (turn.is_over(bytes->size())) co_await let_others();
  }
}

Task<void> Exchange::tunnel_to_upstream() {
  Turn turn;
  for (;;) {
    const std::string bytes = co_await agent_.read_raw();
    if (bytes.empty()) co_return;
    waiting_since_ = Clock::now();
    account_.sent_bytes += bytes.size();
    std::optional<Denial> over = meter_->sent(bytes.size());
    if (!over) over = meter_->out_of_tokens();
    if (over) {
      cut(std::move(*over));
      co_return;
    }
    const Result<void> passed = co_await upstream_->write_raw(bytes);
    if (!passed) co_return;
    if (turn.is_over(bytes.size())) co_await let_others();
  }
}

}  // namespace relay::egress
