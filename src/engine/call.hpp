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

// Tells an observer how long a call took. Lives as long as the call, in the coroutine whose state
// it is given; an outcome is told once. One whom its caller has left says nothing of the Engine
// where it fails: how it would have gone nobody knows.
class CallTimer {
 public:
  CallTimer(const CallObserver& observer, Call call, asio::cancellation_state of_caller)
      : observer_(observer), call_(call), of_caller_(of_caller) {}

  void done(std::optional<CallFailure> failure) const {
    if (!observer_ || (failure && is_cancelled(of_caller_))) return;
    observer_({call_, std::chrono::steady_clock::now() - began_, failure});
  }

 private:
  const CallObserver& observer_;
  Call call_;
  asio::cancellation_state of_caller_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace relay::engine
