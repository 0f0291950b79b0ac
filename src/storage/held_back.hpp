// How long those who write to the log have been held back because too much of it waits. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace relay::storage {

// Whoever is held back goes on as soon as less waits, and fills that room: it has not ended before
// there was three times as much calm as it lasted, or a second of it.
class HeldBack {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kCalm = std::chrono::seconds(1);

  // Whether too much waits now. Answers for how long it has, 0 when it does not.
  Clock::duration note(bool is_behind, Clock::time_point now) {
    const Clock::duration passed = now - noted_;
    calm_left_ = is_behind_ ? std::min(kCalm, calm_left_ + 3 * passed) : calm_left_ - passed;
    if (calm_left_ < Clock::duration::zero()) {
      calm_left_ = {};
      since_ = now;
    }
    noted_ = now;
    is_behind_ = is_behind;
    return is_behind || calm_left_ > Clock::duration::zero() ? now - since_ : Clock::duration{};
  }

  // As it was noted last.
  bool is_behind() const { return is_behind_; }

 private:
  bool is_behind_ = false;
  Clock::duration calm_left_{};  // until it has ended
  Clock::time_point since_{}, noted_{};
};

}  // namespace relay::storage
