// The agent's side of a connection to the broker: bytes in, messages out. One reader and one writer
// at a time.
#pragma once

#include "http/message_parser.hpp"
#include "http/readiness.hpp"
#include "http/transport.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace relay::egress {

class AgentLink {
 public:
  explicit AgentLink(http::Transport::Socket socket) : transport_(std::move(socket)) {}

  // False: the agent is gone before another byte has come.
  Task<bool> wait();

  // Feeds the parser what is there.
  http::ParseStep feed(http::RequestParser& parser);
  // Feeds the parser what is there, or what comes next. kNeedMore: some of the body may be taken.
  // kFailed with one of these for a status: it was not the parser that failed.
  static constexpr int kGone = 0;
  static constexpr int kCancelled = -1;
  Task<http::ParseStep> advance(http::RequestParser& parser);

  // True: the agent has ended its side, or sends far more than answers are to come for. False:
  // cancelled.
  Task<bool> ended();
  // Calls `gone` then, in a turn of the loop, until unwatch(). Nobody reads meanwhile.
  void watch(std::function<void()> gone);
  void unwatch() { readiness_.forget(); }

  // False: the agent is gone.
  Task<bool> write(std::string_view bytes);
  Task<bool> write(std::span<const std::string_view> parts);

  // Ends this side and reads what still comes for a moment, so that the agent reads its answer
  // rather than a reset.
  Task<void> linger();

  // Bytes as they come, once the connection is no longer one of HTTP; empty at the end.
  Task<std::string> read_raw();

  bool has_unread() const { return !pending_.empty(); }
  http::Transport& transport() { return transport_; }

 private:
  enum class Read { kData, kEnd, kCancelled };

  Task<Read> read_more();
  http::IoStep try_read();

  http::Transport transport_;
  http::Readiness readiness_{transport_};
  std::string pending_;  // received, not consumed
};

}  // namespace relay::egress
