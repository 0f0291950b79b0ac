// How often an output that ends at once each time is opened again, and when no more. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace relay {

class OutputRounds {
 public:
  static constexpr std::chrono::milliseconds kFirstPause{100};
  static constexpr std::chrono::milliseconds kLongestPause{10'000};
  static constexpr int kMost = 8;  // without progress

  // The output was cut off.
  void end_round(bool has_moved) {
    if (has_moved || in_vain()) idle_ = 0;
    ++idle_;
    pause_ = idle_ == 1 ? kFirstPause : std::min(pause_ * 2, kLongestPause);
  }

  // Before it is opened again.
  std::chrono::milliseconds pause() const { return pause_; }
  // It is not to be had in this way.
  bool in_vain() const { return idle_ == kMost; }

 private:
  int idle_ = 0;
  std::chrono::milliseconds pause_ = kFirstPause;
};

}  // namespace relay
