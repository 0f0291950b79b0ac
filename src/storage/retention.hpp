// How much of the log is kept, as pure rules.
#pragma once

#include "base/time.hpp"
#include "storage/audit.hpp"

#include <cstdint>
#include <functional>
#include <string_view>

namespace relay::storage {

// 0 = no limit.
struct RetentionLimits {
  std::int64_t days = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  bool any() const { return days > 0 || rows > 0 || bytes > 0; }
};

// What of the log is kept, messages and audit trail.
struct LogLimits {
  RetentionLimits messages;
  AuditLimits audit;
};

struct RetentionStep {
  bool done = true;
  std::int64_t place = 0;    // where the next step goes on
  std::int64_t deleted = 0;  // messages, or sessions
};

// What the rule looks at: a run of messages of a closed session, and the log as it is.
struct RunAge {
  std::int64_t rows = 0;
  WallTime newest;
};
struct LogSize {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;  // of pages in use
};

// Whether a closed session that has no messages goes, with its gaps. Not in the first minute, in
// which somebody may still be about to load it; then at once while the log is too large, else with
// `days`, and after a day where there are only the other limits.
bool may_be_forgotten(const RetentionLimits& limits, const LogSize& log, WallTime closed_at,
                      WallTime now);

// Whether a session has something outside of the log, by its isolation and the cause of its end.
using HasMore = std::function<bool(std::string_view isolation, std::string_view cause)>;

// How many of the run's oldest messages have to go; 0: the run may stay.
std::int64_t rows_to_delete(const RetentionLimits& limits, const LogSize& log, const RunAge& run,
                            WallTime now);

}  // namespace relay::storage
