// How far an agent's output was taken in: what a relay that goes on with the agent has to skip.
#pragma once

#include <cstdint>

namespace relay {

struct OutputPosition {
  std::uint64_t bytes = 0;       // of complete lines, as the backend counts them
  std::uint64_t first_line = 0;  // fingerprint of the first line there ever was; 0: none yet
  std::uint64_t last_line = 0;   // fingerprint of the last line that was taken in

  bool operator==(const OutputPosition&) const = default;
};

}  // namespace relay
