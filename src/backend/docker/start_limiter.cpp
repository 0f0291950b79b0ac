#include "backend/docker/start_limiter.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace relay {

// A place in the line. Whoever leaves it without taking the slot that has come passes that on.
class StartLimiter::Place {
 public:
  explicit Place(StartLimiter& limiter)
      : limiter_(limiter),
        event_(limiter.waiting_.emplace(limiter.waiting_.end(), limiter.executor_)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    const bool unused = event_->happened() && !taken_;
    limiter_.waiting_.erase(event_);
    if (unused) limiter_.give_back();
  }

  Event& event() { return *event_; }
  void take() { taken_ = true; }

 private:
  StartLimiter& limiter_;
  std::list<Event>::iterator event_;
  bool taken_ = false;
};

Task<StartLimiter::Slot> StartLimiter::take() {
  if (free_ > 0) {
    --free_;
    co_return Slot(*this);
  }
  Place place(*this);
  co_await place.event().wait();
  if (!place.event().happened()) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  place.take();
  co_return Slot(*this);
}

// The slot goes straight to the next in line.
void StartLimiter::give_back() {
  for (Event& next : waiting_) {
    if (next.happened()) continue;
    next.happen();
    return;
  }
  ++free_;
}

}  // namespace relay
