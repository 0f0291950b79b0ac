#include "egress/agent_link.hpp"

#include "base/turn.hpp"
#include "http/deadline.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace relay::egress {
namespace {

using http::IoState;
using http::IoStep;
using http::ParseState;

constexpr std::size_t kReadBytes = 64u << 10;
constexpr std::size_t kMaxReadAhead = 64u << 10;  // of further requests, while one is answered
constexpr std::size_t kLingerBytes = 32u << 20;
constexpr std::chrono::milliseconds kLingerTime{2'000};

// All connections of a thread share it: one that waits has no buffer.
std::span<char> shared_buffer() {
  thread_local std::vector<char> buffer(kReadBytes);
  return buffer;
}

}  // namespace

IoStep AgentLink::try_read() {
  const std::span<char> buffer = shared_buffer();
  const IoStep step = transport_.try_read(buffer);
  if (step.state == IoState::kDone) pending_.append(buffer.data(), step.bytes);
  return step;
}

Task<AgentLink::Read> AgentLink::read_more() {
  for (;;) {
    const IoStep step = try_read();
    if (step.state == IoState::kDone) co_return Read::kData;
    if (!would_block(step.state)) co_return Read::kEnd;
    if (pending_.empty()) pending_ = std::string();  // one that waits keeps no memory
    const bool ready = co_await readiness_.wait(step.state);
    if (!ready) co_return Read::kCancelled;
  }
}

// Nothing is tried first: between two requests there seldom is anything.
Task<bool> AgentLink::wait() {
  if (!pending_.empty()) co_return true;
  pending_ = std::string();
  const bool ready = co_await readiness_.wait(IoState::kWaitRead);
  if (!ready) co_return false;
  const Read read = co_await read_more();
  co_return read == Read::kData;
}

http::ParseStep AgentLink::feed(http::RequestParser& parser) {
  http::ParseStep step = parser.feed(pending_);
  pending_.erase(0, step.consumed);
  return step;
}

Task<http::ParseStep> AgentLink::advance(http::RequestParser& parser) {
  for (;;) {
    if (!pending_.empty()) {
      http::ParseStep step = feed(parser);
      if (step.state != ParseState::kNeedMore || step.consumed > 0) co_return step;
    }
    const Read read = co_await read_more();
    if (read != Read::kData) {
      const int why = read == Read::kEnd ? kGone : kCancelled;
      co_return http::ParseStep{ParseState::kFailed, 0, why, "the agent is gone"};
    }
  }
}

Task<bool> AgentLink::ended() {
  while (pending_.size() <= kMaxReadAhead) {
    const Read read = co_await read_more();
    if (read != Read::kData) co_return read == Read::kEnd;
  }
  co_return true;
}

void AgentLink::watch(std::function<void()> gone) {
  readiness_.call([this, gone = std::move(gone)](bool readable) mutable {
    if (!readable) return;  // cancelled
    const IoStep step = try_read();
    const bool is_there = step.state == IoState::kDone || would_block(step.state);
    if (is_there && pending_.size() <= kMaxReadAhead) {
      watch(std::move(gone));
    } else {
      gone();
    }
  });
}

Task<bool> AgentLink::write(std::string_view bytes) {
  const std::array<std::string_view, 1> parts{bytes};
  const std::function<void()> nothing;
  co_return co_await transport_.write_all(parts, nothing);
}

Task<bool> AgentLink::write(std::span<const std::string_view> parts) {
  const std::function<void()> nothing;
  co_return co_await transport_.write_all(parts, nothing);
}

Task<void> AgentLink::linger() {
  transport_.shutdown_send();
  const http::Deadline deadline(transport_.executor(), kLingerTime,
                                [this] { transport_.cancel(); });
  Turn turn;
  for (std::size_t total = 0; total < kLingerBytes && !deadline.expired();) {
    pending_.clear();
    const Read read = co_await read_more();
    if (read != Read::kData) co_return;
    total += pending_.size();
    if (turn.is_over(pending_.size())) {
      co_await asio::post(transport_.executor(), asio::use_awaitable);
    }
  }
}

Task<std::string> AgentLink::read_raw() {
  if (pending_.empty()) {
    [[maybe_unused]] const Read read = co_await read_more();
  }
  co_return std::exchange(pending_, {});
}

}  // namespace relay::egress
