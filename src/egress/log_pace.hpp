// How many lines of one session's denials go into the log: an agent asks as often as it likes.
// Pure: time is passed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace relay::egress {

class LogPace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr unsigned kLinesInWindow = 10;
  static constexpr std::chrono::seconds kWindow{10};

  // How many lines were left out before this one; nothing: this is to be left out, too.
  std::optional<std::uint64_t> admit(Time now) {
    if (now >= window_end_) {
      window_end_ = now + kWindow;
      lines_ = 0;
    }
    if (lines_ == kLinesInWindow) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  Time window_end_{};
  unsigned lines_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace relay::egress
