// Buffers that all connections of one loop share, each for the time between two waits.
#pragma once

#include <string>
#include <vector>

namespace relay::http {

inline constexpr std::size_t kReadBytes = 256u << 10;  // most that one read takes
inline constexpr std::size_t kBatchBytes = 256u
                                           << 10;  // most that is copied together for one write

struct Scratch {
  Scratch() : in(kReadBytes) { out.reserve(kBatchBytes); }

  std::vector<char> in;
  std::string out;
};

}  // namespace relay::http
