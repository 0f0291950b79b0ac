#include "backend/docker/start_limiter.hpp"

namespace relay {

Task<StartLimiter::Slot> StartLimiter::take() {
  if (free_ > 0) {
    --free_;
    co_return Slot(*this);
  }
  const auto place = waiting_.emplace(waiting_.end(), executor_);
  while (!place->happened()) co_await place->wait();
  waiting_.erase(place);
  co_return Slot(*this);
}

// The place goes straight to the next in line.
void StartLimiter::give_back() {
  for (Event& next : waiting_) {
    if (next.happened()) continue;
    next.happen();
    return;
  }
  ++free_;
}

}  // namespace relay
