// How long those who write to the log have been held back because too much of it waits. Pure.
#pragma once

#include <chrono>
#include <optional>

namespace relay::storage {

// Whoever is held back goes on as soon as less waits, and fills that room: what ends within kCalm
// has not ended.
class HeldBack {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kCalm{1};

  // Whether too much waits now. Answers for how long it has, 0 when it does not.
  Clock::duration note(bool is_behind, Clock::time_point now) {
    if (is_behind_) last_ = now;
    const bool goes_on = last_ && now - *last_ <= kCalm;
    if (is_behind && !goes_on) since_ = now;
    if (is_behind) last_ = now;
    is_behind_ = is_behind;
    return is_behind || goes_on ? now - since_ : Clock::duration{};
  }

  // As it was noted last.
  bool is_behind() const { return is_behind_; }

 private:
  bool is_behind_ = false;
  Clock::time_point since_{};
  std::optional<Clock::time_point> last_;  // when it was so
};

}  // namespace relay::storage
