// What a call to the Engine was, and how it went: for who counts them.
#pragma once

#include "base/async.hpp"
#include "base/error.hpp"
#include "metrics/labels.hpp"

#include <chrono>
#include <functional>
#include <optional>

namespace relay::engine {

using Call = metrics::EngineCall;
using CallFailure = metrics::EngineError;

// One exchange with the Engine. `took` is until its whole answer was there, or the head of a
// stream's; of a pull all of it.
struct CallOutcome {
  Call call = Call::kVersion;
  std::chrono::steady_clock::duration took{};
  std::optional<CallFailure> failure;
};

using CallObserver = std::function<void(const CallOutcome&)>;

std::optional<CallFailure> failure_of_status(int status);
// Of an error of the HTTP client.
CallFailure failure_of(const Error& error);

// Whoever waits for the call has left: what failed says nothing of the Engine.
inline bool is_cancelled(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

// Tells an observer how long a call took. Lives as long as the call; an outcome is told once, and
// none of a call that was cancelled: how it would have gone nobody knows.
class CallTimer {
 public:
  CallTimer(const CallObserver& observer, Call call) : observer_(observer), call_(call) {}

  void done(std::optional<CallFailure> failure) const {
    if (observer_) observer_({call_, std::chrono::steady_clock::now() - began_, failure});
  }

 private:
  const CallObserver& observer_;
  Call call_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace relay::engine
