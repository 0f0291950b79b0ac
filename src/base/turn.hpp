// When a stream lets others have their turn: one whose two ends are both quick would never wait,
// and the loop would have nothing but it. Pure.
#pragma once

#include <cstddef>

namespace relay {

class Turn {
 public:
  // That much more has been passed on. True: now.
  bool is_over(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ < kBytes) return false;
    bytes_ = 0;
    return true;
  }

 private:
  static constexpr std::size_t kBytes = 128u << 10;

  std::size_t bytes_ = 0;
};

}  // namespace relay
