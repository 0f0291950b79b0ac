// Runs something when a time has passed, unless it is destroyed before.
#pragma once

#include "base/async.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace relay::http {

class Deadline {
 public:
  // Zero: never.
  Deadline(const asio::any_io_executor& executor, std::chrono::milliseconds time,
           std::function<void()> on_expiry) {
    if (time.count() == 0) return;
    state_ = std::make_shared<State>(State{std::move(on_expiry)});
    timer_.emplace(executor, time);
    timer_->async_wait([state = state_](const boost::system::error_code& failure) {
      if (failure || !state->on_expiry) return;
      state->expired = true;
      state->on_expiry();
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  // An expiry that is queued already must not touch what the function refers to.
  ~Deadline() {
    if (state_) state_->on_expiry = nullptr;
  }

  bool expired() const { return state_ && state_->expired; }

 private:
  struct State {
    std::function<void()> on_expiry;
    bool expired = false;
  };

  std::optional<asio::steady_timer> timer_;
  std::shared_ptr<State> state_;
};

}  // namespace relay::http
