#include "management/cpu_meter.hpp"

namespace relay::management {

std::optional<double> CpuMeter::take(const SessionId& session, CpuReading reading) {
  const auto [known, is_first] = readings_.emplace(session, reading);
  if (is_first) return std::nullopt;
  const CpuReading before = known->second;
  const std::chrono::duration<double> passed = reading.at - before.at;
  if (passed < kShortest && reading.cpu_time >= before.cpu_time) return std::nullopt;
  known->second = reading;
  // Less than before: the session has another agent.
  if (passed > kLongest || reading.cpu_time < before.cpu_time) return std::nullopt;
  const std::chrono::duration<double> used = reading.cpu_time - before.cpu_time;
  return 100 * used.count() / passed.count();
}

void CpuMeter::forget_before(Clock::time_point time) {
  std::erase_if(readings_, [time](const auto& entry) { return entry.second.at < time; });
}

}  // namespace relay::management
