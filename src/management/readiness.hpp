// Whether a session could be made now, and why not: from what is so and from what happened in the
// last minute. Pure.
#pragma once

#include "metrics/counts.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace relay::management {

// readiness.* of the configuration; 0: no limit.
struct ReadinessLimits {
  std::int64_t min_free_bytes = 64 << 20;
  std::uint64_t max_wal_bytes = 512u << 20;
};

struct ReadinessFacts {
  std::size_t sessions = 0;
  std::size_t session_limit = 0;
  bool log_writable = true;
  std::chrono::steady_clock::duration log_held_back_for{};  // see LogStatus
  std::uint64_t wal_bytes = 0;
  std::int64_t disk_free_bytes = -1;      // where the database lies; -1: not known
  std::int64_t open_descriptors = -1;     // -1: not known
  std::int64_t descriptor_limit = -1;     // -1: none
  metrics::RecentOutcomes::Share starts;  // of sessions
  metrics::RecentOutcomes::Share turns;
  ReadinessLimits limits;
  std::vector<std::string> others;  // reasons that the application knows
};

// An agent, its pipes and a client need about ten descriptors; this leaves room for a few of each.
inline constexpr std::int64_t kSpareDescriptors = 64;
// Agents and clients that the log holds back for longer find the relay too slow.
inline constexpr std::chrono::seconds kLongHeldBack{30};
// So many attempts say something, when more than half of them failed.
inline constexpr std::size_t kTellingAttempts = 3;

// Words for machines, each once. Empty: ready.
std::vector<std::string> not_ready_because(const ReadinessFacts& facts);

// Whether each reason that there is holds, for series that are always the same; those that are not
// known here go together as "other".
std::map<std::string, bool> each_reason(const std::vector<std::string>& reasons);

// What a person can do about a reason; empty for one that is not known here.
std::string_view remedy(std::string_view reason);

}  // namespace relay::management
