// Lets only so many lines of one kind into the log, so that nobody writes it at his own pace.
//
// A kind is an event with the fixed fields of its Logger: what one session causes is cut without
// hiding what another one says. Pure: time is passed in. Memory is bounded by the number of kinds
// of one window; what comes beyond that counts as one kind together.
#pragma once

#include "base/log.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relay {

// Lines that are not in the log.
struct LogLoss {
  std::string event;  // empty: lines of several kinds
  std::vector<LogField> fixed;
  std::uint64_t lines = 0;
};

class LogRepeats {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // More than the lines of stderr that an agent may have in the log, which are limited before.
  static constexpr unsigned kLinesInWindow = 100;
  static constexpr std::chrono::seconds kWindow{1};
  static constexpr std::size_t kMaxKinds = 1024;

  // Whether the line is to be written; otherwise it is counted.
  bool admit(std::string_view event, std::span<const LogField> fixed);

  bool is_over(Time now) const { return now >= window_begin_ + kWindow; }
  Time window_end() const { return window_begin_ + kWindow; }
  // Something was left out that nobody has been told.
  bool owes() const { return left_out_ > 0; }

  // Begins a window and gives what was left out in the one before.
  std::vector<LogLoss> next_window(Time now);

 private:
  struct Kind {
    LogLoss loss;
    unsigned written = 0;
  };

  Time window_begin_{};
  std::unordered_map<std::string, Kind> kinds_;
  std::uint64_t left_out_ = 0;
};

}  // namespace relay
