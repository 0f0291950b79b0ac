// The number types behind Metrics: plain memory, one loop, no atomics. Bumping one is an add.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace relay::metrics {

// One number for every value of an enumeration that starts at 0 and ends with Last.
// Counts<Direction, Direction::kToAgent> messages; ++messages[Direction::kToAgent];
template <class Label, Label Last, class Number = std::uint64_t>
class Counts {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Last) + 1;

  Number& operator[](Label label) { return values_[static_cast<std::size_t>(label)]; }
  const Number& operator[](Label label) const { return values_[static_cast<std::size_t>(label)]; }

 private:
  std::array<Number, kSize> values_{};
};

// Upper bounds of buckets in seconds; what is above the last falls into the +Inf bucket.
// For what agents and Engines do:
inline constexpr std::array<double, 14> kUpToAnHour{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1,
                                                    2.5,   5,     10,   30,   60,  600, 3600};
// For what the relay does itself:
inline constexpr std::array<double, 14> kUpToASecond{0.000005, 0.00001, 0.000025, 0.00005, 0.0001,
                                                     0.00025,  0.0005,  0.001,    0.0025,  0.005,
                                                     0.01,     0.05,    0.1,      1};

// A histogram of durations with these buckets.
template <const auto& Bounds>
class Histogram {
 public:
  void observe(std::chrono::steady_clock::duration duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    const auto bound = std::lower_bound(Bounds.begin(), Bounds.end(), seconds);
    ++buckets_[static_cast<std::size_t>(bound - Bounds.begin())];
    sum_ += seconds;
  }

  static std::span<const double> bounds() { return Bounds; }
  // Observations in each bucket alone, the last one is +Inf.
  std::span<const std::uint64_t> buckets() const { return buckets_; }
  double sum_seconds() const { return sum_; }

 private:
  std::array<std::uint64_t, Bounds.size() + 1> buckets_{};
  double sum_ = 0;
};

using DurationHistogram = Histogram<kUpToAnHour>;
using RelayTimeHistogram = Histogram<kUpToASecond>;

// The largest value of the last minute or two. Reading changes nothing, so several scrapers agree.
class RecentMaximum {
 public:
  static constexpr std::chrono::seconds kWindow{60};

  void record(std::chrono::steady_clock::duration value, std::chrono::steady_clock::time_point now);
  std::chrono::steady_clock::duration value(std::chrono::steady_clock::time_point now) const;

 private:
  std::chrono::steady_clock::time_point window_start_{};
  std::chrono::steady_clock::duration current_{};
  std::chrono::steady_clock::duration previous_{};
};

// How attempts at something went that ended in the last minute: what a relay can do now shows best
// in what it did. Of very many the last ones count.
class RecentOutcomes {
 public:
  static constexpr std::chrono::seconds kWindow{60};
  static constexpr std::size_t kMost = 64;

  void record(bool worked, std::chrono::steady_clock::time_point now);

  struct Share {
    std::size_t attempts = 0;
    std::size_t failures = 0;
  };
  Share share(std::chrono::steady_clock::time_point now) const;

 private:
  struct Outcome {
    std::chrono::steady_clock::time_point at;
    bool worked;
  };
  std::deque<Outcome> last_;
};

}  // namespace relay::metrics
