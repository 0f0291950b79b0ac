// One connection of an agent to the broker: its requests, one after another.
#pragma once

#include "egress/agent_link.hpp"
#include "egress/exchange.hpp"

#include <chrono>
#include <cstddef>

namespace relay::egress {

struct RequestLimits {
  std::size_t max_header_bytes = 64u << 10;
  std::size_t max_body_bytes = 32u << 20;
  // From its first byte to its last; and to the first one from who is not known.
  std::chrono::milliseconds head_timeout{30'000};
};

class AgentConnection {
 public:
  using Clock = std::chrono::steady_clock;

  AgentConnection(http::Transport::Socket socket, const RequestLimits& limits,
                  const Surroundings& surroundings)
      : link_(std::move(socket)),
        limits_(limits),
        surroundings_(surroundings),
        is_known_(surroundings.token.empty()) {}

  // Until the connection is over, or nothing comes for too long.
  Task<void> serve();
  // Says that there are too many, and goes.
  Task<void> refuse(std::size_t max_connections);
  // Ends it at once, whatever it does.
  void close();
  // Ends what has taken too long.
  void tick(Clock::time_point now);
  bool is_closed() const { return closed_; }
  // Nothing has come by which the agent is known: whoever reaches the port may be at the other end.
  bool is_stranger() const;

 private:
  Task<bool> serve_one();
  Task<bool> wait_for_request();
  Task<http::ParseStep> read_head(http::RequestParser& parser);
  Task<void> answer(Denial denial);
  void set_deadline(std::chrono::milliseconds from_now);

  AgentLink link_;
  const RequestLimits& limits_;
  const Surroundings& surroundings_;
  Exchange* exchange_ = nullptr;  // that is under way
  Clock::time_point deadline_ = Clock::time_point::max();
  bool expired_ = false;
  bool is_known_;        // a request had the token
  bool closed_ = false;  // nothing begins any more
};

}  // namespace relay::egress
