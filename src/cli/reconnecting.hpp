// When `acp-relay connect` connects again, and when it gives up. Pure.
//
// A connection that brought nothing may be one of many that end in the same way: by a message that
// the relay does not take, or before initialize was answered. So it neither shortens the pauses nor
// gets more time, but for the first of them.
#pragma once

#include "cli/backoff.hpp"
#include "http/websocket.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace relay::cli {

// A connection on which initialize was answered, as it was when it ended.
struct ConnectionPast {
  bool has_settled = false;           // it brought something, or took something
  std::optional<std::uint16_t> code;  // that the relay closed it with
  std::chrono::steady_clock::duration lasted{};
};

// Long enough that ending so again is no rush.
inline constexpr std::chrono::seconds kLastingConnection{10};

// 1008 is what a relay says to a message that came too slowly, however long that took.
inline bool is_useful(const ConnectionPast& past) {
  const bool was_refused = past.code == static_cast<std::uint16_t>(http::CloseCode::kPolicy);
  return past.has_settled || (past.lasted >= kLastingConnection && !was_refused);
}

class Reconnecting {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Reconnecting(Time until) : give_up_at_(until) {}

  // There is time until then, whatever was before.
  void try_until(Time until) { *this = Reconnecting(until); }
  // `until`: what a useful one is worth, and one that was cut without a word of the relay: that may
  // be well, and an agent may have nothing to say for long.
  void connection_ended(bool was_useful, bool was_cut, Time until) {
    if (was_useful || was_cut || !was_useless_) give_up_at_ = until;
    if (was_useful) backoff_.reset();
    was_useless_ = !was_useful;
  }
  bool is_over(Time now) const { return now >= give_up_at_; }
  // Before the next attempt.
  std::chrono::milliseconds pause() { return backoff_.next(); }

 private:
  Time give_up_at_;
  Backoff backoff_;
  bool was_useless_ = false;  // the connection before
};

}  // namespace relay::cli
