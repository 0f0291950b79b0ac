// How long those who write to the log have been held back because too much of it waits. Pure.
#pragma once

#include <chrono>

namespace relay::storage {

// Whoever is held back goes on as soon as less waits, and fills that room: what is over for a
// shorter time than it lasted, and at most for kCalm, has not ended.
class HeldBack {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kCalm{1};

  // Whether too much waits now. Answers for how long it has, 0 when it does not.
  Clock::duration note(bool is_behind, Clock::time_point now) {
    if (is_behind_) ended_ = now;  // or goes on
    const Clock::duration calm = now - ended_;
    const bool goes_on = calm <= kCalm && calm <= ended_ - began_;
    if (is_behind && !is_behind_) began_ = now;
    if (!goes_on) since_ = now;
    is_behind_ = is_behind;
    return is_behind || goes_on ? now - since_ : Clock::duration{};
  }

  // As it was noted last.
  bool is_behind() const { return is_behind_; }

 private:
  bool is_behind_ = false;
  Clock::time_point since_{};            // of the whole spell
  Clock::time_point began_{}, ended_{};  // of its last part
};

}  // namespace relay::storage
