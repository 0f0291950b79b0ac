#include "storage/retention.hpp"

#include <algorithm>
#include <chrono>

namespace relay::storage {

std::int64_t rows_to_delete(const RetentionLimits& limits, const LogSize& log, const RunAge& run,
                            WallTime now) {
  if (limits.days > 0 && run.newest < now - std::chrono::days(limits.days)) return run.rows;
  if (limits.bytes > 0 && log.bytes > limits.bytes) return run.rows;
  if (limits.rows > 0 && log.rows > limits.rows) return std::min(run.rows, log.rows - limits.rows);
  return 0;
}

bool may_be_forgotten(const RetentionLimits& limits, const LogSize& log, WallTime closed_at,
                      WallTime now) {
  if (!limits.any() || closed_at > now - std::chrono::minutes(1)) return false;
  if (limits.bytes > 0 && log.bytes > limits.bytes) return true;
  return closed_at < now - std::chrono::days(limits.days > 0 ? limits.days : 1);
}

}  // namespace relay::storage
