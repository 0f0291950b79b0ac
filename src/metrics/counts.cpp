#include "metrics/counts.hpp"

#include <algorithm>

namespace relay::metrics {

void RecentMaximum::record(std::chrono::steady_clock::duration value,
                           std::chrono::steady_clock::time_point now) {
  if (now - window_start_ >= kWindow) {
    previous_ =
        now - window_start_ < 2 * kWindow ? current_ : std::chrono::steady_clock::duration{};
    current_ = {};
    window_start_ = now;
  }
  current_ = std::max(current_, value);
}

std::chrono::steady_clock::duration RecentMaximum::value(
    std::chrono::steady_clock::time_point now) const {
  const auto age = now - window_start_;
  if (age >= 2 * kWindow) return {};
  if (age >= kWindow) return current_;
  return std::max(current_, previous_);
}

void RecentOutcomes::record(bool worked, std::chrono::steady_clock::time_point now) {
  if (last_.size() == kMost) last_.pop_front();
  last_.push_back({now, worked});
}

RecentOutcomes::Share RecentOutcomes::share(std::chrono::steady_clock::time_point now) const {
  Share share;
  for (const Outcome& outcome : last_) {
    if (now - outcome.at >= kWindow) continue;
    ++share.attempts;
    if (!outcome.worked) ++share.failures;
  }
  return share;
}

}  // namespace relay::metrics
