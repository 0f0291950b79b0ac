// What a session may use of an upstream, and whether it has. Pure.
#pragma once

#include "egress/access.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace relay::egress {

// 0: without a limit.
struct Budget {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;   // of bodies, both ways together
  std::uint64_t tokens = 0;  // that the answers say
};

struct Spent {
  std::uint64_t requests = 0;  // that went out
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t tokens = 0;
  std::uint64_t failed = 0;  // denied, or cut off
};

// Why one more request may not go out. What is under way is not cut off, so that a session may go
// over its budget by what its last requests take.
std::optional<Denial> over_budget(const std::string& upstream, const Budget& budget,
                                  const Spent& spent);

}  // namespace relay::egress
