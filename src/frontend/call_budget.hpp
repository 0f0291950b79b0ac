// How many calls to the relay itself a connection may have running, in number and in bytes: each
// keeps its message until it is answered.
#pragma once

#include "base/byte_budget.hpp"

#include <cstddef>

namespace relay::frontend {

class CallBudget {
 public:
  CallBudget(std::size_t number, std::size_t bytes) : most_(number), bytes_(bytes) {}

  // False: there is no room, and nothing was taken.
  [[nodiscard]] bool take(std::size_t bytes) {
    if (running_ >= most_ || !bytes_.take(bytes)) return false;
    ++running_;
    return true;
  }
  // A call of so many bytes is done.
  void give(std::size_t bytes) {
    --running_;
    bytes_.give(bytes);
  }

 private:
  std::size_t most_;
  std::size_t running_ = 0;
  ByteBudget bytes_;
};

}  // namespace relay::frontend
