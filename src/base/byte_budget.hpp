// How many bytes a queue may hold, and how many it holds. Every queue that others can make grow has
// one: a bound in number alone lets each of them be as large as a message may be.
#pragma once

#include <algorithm>
#include <cstddef>

namespace relay {

class ByteBudget {
 public:
  explicit ByteBudget(std::size_t most) : most_(most) {}

  // False: there is no room, and nothing was taken.
  [[nodiscard]] bool take(std::size_t bytes) {
    if (bytes > most_ - used_) return false;
    used_ += bytes;
    return true;
  }
  // What was taken is free again.
  void give(std::size_t bytes) { used_ -= std::min(bytes, used_); }

  std::size_t used() const { return used_; }
  std::size_t most() const { return most_; }

 private:
  std::size_t most_;
  std::size_t used_ = 0;
};

}  // namespace relay
