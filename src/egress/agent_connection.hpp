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
  std::chrono::milliseconds head_timeout{30'000};  // from its first byte to its last
};

class AgentConnection {
 public:
  using Clock = std::chrono::steady_clock;

  AgentConnection(http::Transport::Socket socket, const RequestLimits& limits,
                  const Surroundings& surroundings)
      : link_(std::move(socket)), limits_(limits), surroundings_(surroundings) {}

  // Until the connection is over, or nothing comes for too long.
  Task<void> serve();
  // Says that there are too many, and goes.
  Task<void> refuse(std::size_t max_connections);
  // Ends it at once, whatever it does.
  void close();
  // Ends what has taken too long.
  void tick(Clock::time_point now);

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
  bool closed_ = false;  // nothing begins any more
};

}  // namespace relay::egress
