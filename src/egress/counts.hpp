// Sums of what others say, or do as often as they like. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace relay::egress {

// The log's numbers have a sign.
inline constexpr std::uint64_t kHighestCount = std::numeric_limits<std::int64_t>::max();

// Both together, or that.
constexpr std::uint64_t counted(std::uint64_t one, std::uint64_t other) {
  const std::uint64_t first = std::min(one, kHighestCount);
  return first + std::min(other, kHighestCount - first);
}

}  // namespace relay::egress
