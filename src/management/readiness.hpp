// Whether a session could be made now, and why not. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::management {

struct ReadinessFacts {
  std::size_t sessions = 0;
  std::size_t session_limit = 0;
  bool log_writable = true;
  std::int64_t open_descriptors = -1;  // -1: not known
  std::int64_t descriptor_limit = -1;  // -1: none
  std::vector<std::string> others;     // reasons that the application knows
};

// An agent, its pipes and a client need about ten descriptors; this leaves room for a few of each.
inline constexpr std::int64_t kSpareDescriptors = 64;

// Words for machines, each once: "session_limit_reached", "log_unwritable", "descriptors_low" and
// the others. Empty: ready.
std::vector<std::string> not_ready_because(const ReadinessFacts& facts);

// What a person can do about a reason; empty for one that is not known here.
std::string_view remedy(std::string_view reason);

}  // namespace relay::management
