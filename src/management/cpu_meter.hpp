// How much of a CPU each agent uses, from what it has used in all at two times. Pure.
#pragma once

#include "base/strong_id.hpp"

#include <chrono>
#include <map>
#include <optional>

namespace relay::management {

struct CpuReading {
  std::chrono::steady_clock::time_point at;
  std::chrono::nanoseconds cpu_time{0};  // since the agent's start
};

class CpuMeter {
 public:
  using Clock = std::chrono::steady_clock;
  // Two readings are compared when they are so far apart.
  static constexpr std::chrono::milliseconds kShortest{300};
  static constexpr std::chrono::seconds kLongest{15};

  // Percent of one CPU since the reading before; 100 is all of one. Empty: there is none to compare
  // with (yet), or another agent was read then.
  std::optional<double> take(const SessionId& session, CpuReading reading);

  // Of sessions that were not read since.
  void forget_before(Clock::time_point time);

  std::size_t size() const { return readings_.size(); }

 private:
  std::map<SessionId, CpuReading> readings_;
};

}  // namespace relay::management
