#include "egress/agent_connection.hpp"

#include "base/finally.hpp"
#include "egress/denial_answer.hpp"
#include "http/message_format.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace relay::egress {

using http::ParseState;

Task<void> AgentConnection::serve() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    const bool more = co_await serve_one();
    if (!more) break;
    // Requests that come faster than they are answered would be all that the loop has.
    if (link_.has_unread()) {
      co_await asio::post(link_.transport().executor(), asio::use_awaitable);
    }
  }
  link_.transport().close();
}

// False: nothing more comes.
Task<bool> AgentConnection::wait_for_request() {
  set_deadline(is_known_ ? surroundings_.idle : std::min(surroundings_.idle, limits_.head_timeout));
  co_return co_await link_.wait();
}

bool AgentConnection::is_stranger() const {
  const bool asks_as_agent = exchange_ != nullptr && exchange_->is_of_the_agent();
  return !is_known_ && !asks_as_agent && !closed_;
}

void AgentConnection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = Clock::now() + from_now;
  expired_ = false;
}

// A cancellation reaches only what waits at that moment, and not what waits for its turn.
void AgentConnection::close() {
  closed_ = true;
  link_.transport().close();
  if (exchange_ != nullptr) exchange_->agent_left();
}

void AgentConnection::tick(Clock::time_point now) {
  if (exchange_ != nullptr) return exchange_->tick(now);
  if (now < deadline_) return;
  // Again with every tick: what wakes just then is not reached.
  expired_ = true;
  link_.transport().cancel();
}

// False: it was the last one.
Task<bool> AgentConnection::serve_one() {
  const bool begun = co_await wait_for_request();
  if (!begun) co_return false;
  http::RequestParser parser(limits_.max_header_bytes, limits_.max_body_bytes);
  const http::ParseStep step = co_await read_head(parser);
  if (step.state != ParseState::kFailed) {
    Exchange exchange(link_, parser, step.state == ParseState::kDone, surroundings_);
    const Finally over([this] {
      is_known_ = is_known_ || exchange_->is_of_the_agent();
      exchange_ = nullptr;
    });
    exchange_ = &exchange;
    co_return co_await exchange.run();
  }
  if (step.status > 0) {
    Denial denial{Refusal::kBadRequest, step.status, step.explanation, "", ""};
    co_await answer(std::move(denial));
  }
  co_return false;
}

Task<http::ParseStep> AgentConnection::read_head(http::RequestParser& parser) {
  set_deadline(limits_.head_timeout);
  http::ParseStep step;
  while (step.state == ParseState::kNeedMore) step = co_await link_.advance(parser);
  // Most bodies come with their head.
  if (step.state == ParseState::kHead && link_.has_unread()) step = link_.feed(parser);
  deadline_ = Clock::time_point::max();
  if (step.state == ParseState::kFailed && expired_) {
    step.status = 408;
    step.explanation = "the head of the request came too slowly";
  }
  co_return step;
}

Task<void> AgentConnection::refuse(std::size_t max_connections) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Denial denial{Refusal::kTooManyConnections, 503,
                "the agent has " + std::to_string(max_connections) +
                    " connections, which is as many as one session may have",
                "egress.max_connections", "Close some, or raise the limit."};
  co_await answer(std::move(denial));
  link_.transport().close();
}

// To what is no request.
Task<void> AgentConnection::answer(Denial denial) {
  const http::Response response = answer_to(denial);
  http::Framing framing;
  framing.content_length = response.body.size();
  framing.connection = "close";
  std::string out;
  http::append_response_head(out, response.status, response.headers, framing);
  out += response.body;
  Account account;
  account.status = response.status;
  account.denial = std::move(denial);
  if (surroundings_.over) surroundings_.over(account);
  set_deadline(surroundings_.idle);
  const bool written = co_await link_.write(out);
  if (written) co_await link_.linger();
}

}  // namespace relay::egress
