// Growing pauses between attempts.
#pragma once

#include <algorithm>
#include <chrono>

namespace relay::cli {

class Backoff {
 public:
  std::chrono::milliseconds next() {
    const auto pause = pause_;
    pause_ = std::min(2 * pause_, kLongest);
    return pause;
  }
  void reset() { pause_ = kShortest; }

  static constexpr std::chrono::milliseconds kShortest{100};
  static constexpr std::chrono::milliseconds kLongest{5'000};

 private:
  std::chrono::milliseconds pause_ = kShortest;
};

}  // namespace relay::cli
