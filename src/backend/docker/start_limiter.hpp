// Lets only so many container starts run at a time: an Engine does not start more of them a second
// when more are asked for, it only makes all of them late. First come, first served. Outlives all
// who wait in it and all its slots.
#pragma once

#include "base/async.hpp"

#include <cstddef>
#include <list>

namespace relay {

class StartLimiter {
 public:
  StartLimiter(asio::any_io_executor executor, std::size_t limit)
      : executor_(std::move(executor)), free_(limit) {}

  // A place, given back when it is destroyed.
  class Slot {
   public:
    explicit Slot(StartLimiter& limiter) : limiter_(&limiter) {}
    Slot(Slot&& other) noexcept : limiter_(std::exchange(other.limiter_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (limiter_ != nullptr) limiter_->give_back();
    }

   private:
    StartLimiter* limiter_;
  };

  // Waits for a place; whoever waited may look afterwards whether it is still wanted. A cancelled
  // coroutine leaves the line with operation_aborted.
  Task<Slot> take();

  std::size_t waiting() const { return waiting_.size(); }

 private:
  class Place;

  void give_back();

  asio::any_io_executor executor_;
  std::size_t free_;
  std::list<Event> waiting_;
};

}  // namespace relay
