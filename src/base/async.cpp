#include "base/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cassert>

namespace relay {
namespace {

thread_local WokenTogether* gathering = nullptr;

void go_on_later(const asio::any_io_executor& executor, AnyHandler<bool> waiter, bool notified) {
  asio::post(executor, [kept = std::move(waiter), notified]() mutable { kept(notified); });
}

}  // namespace

struct Wakeup::Initiation {
  template <class Handler>
  void operator()(Handler handler) const {
    auto slot = asio::get_associated_cancellation_slot(handler);
    const void* const who = wakeup->waiters_.emplace_back(std::move(handler)).identity();
    if (slot.is_connected()) {
      slot.assign([target = wakeup, who](asio::cancellation_type) { target->cancel(who); });
    }
  }

  Wakeup* wakeup;
};

void Wakeup::cancel(const void* waiter) {
  const auto found = std::ranges::find(waiters_, waiter, &AnyHandler<bool>::identity);
  if (found == waiters_.end()) return;
  AnyHandler<bool> cancelled = std::move(*found);
  waiters_.erase(found);
  cancelled.disarm();
  go_on_later(executor_, std::move(cancelled), false);
}

void Wakeup::notify() {
  if (waiters_.empty()) signalled_ = true;
  for (auto& waiter : waiters_) {
    waiter.disarm();
    if (gathering == nullptr) {
      go_on_later(executor_, std::move(waiter), true);
    } else {
      gathering->woken_.push_back({std::move(waiter), executor_});
    }
  }
  waiters_.clear();
}

WokenTogether::WokenTogether() : is_gathering_(gathering == nullptr) {
  if (is_gathering_) gathering = this;
}

WokenTogether::~WokenTogether() {
  stop_gathering();
  for (Woken& one : woken_) {
    if (one.waiter) go_on_later(one.executor, std::move(one.waiter), true);
  }
}

void WokenTogether::stop_gathering() {
  if (is_gathering_) gathering = nullptr;
  is_gathering_ = false;
}

void WokenTogether::go_on() {
  stop_gathering();
  for (Woken& one : woken_) one.waiter(true);
}

Task<bool> Wakeup::wait() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (is_cancelled(state)) co_return false;
  if (signalled_) {
    signalled_ = false;
    co_return true;
  }
  const Initiation initiation{this};
  const bool notified = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
      initiation, asio::use_awaitable);
  co_return notified;
}

void Event::happen() {
  happened_ = true;
  wakeup_.notify();
}

Task<void> Event::wait() {
  if (happened_) co_return;
  co_await wakeup_.wait();
}

void ignore_failure(const std::string&, std::exception_ptr) {}

void throw_cancelled() { throw boost::system::system_error(asio::error::operation_aborted); }

Task<std::exception_ptr> failure_of(Task<void> body) {
  std::exception_ptr failure;
  try {
    co_await std::move(body);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return failure;
}

TaskScope::TaskScope(asio::any_io_executor executor, OnFailure on_failure)
    : executor_(executor), on_failure_(std::move(on_failure)), idle_(std::move(executor)) {}

TaskScope::~TaskScope() { assert(children_.empty() && "join() a TaskScope before destroying it"); }

void TaskScope::spawn(std::string name, std::function<Task<void>()> body) {
  const auto child = children_.emplace(children_.end());
  auto on_end = [this, child, name = std::move(name)](std::exception_ptr failure) {
    children_.erase(child);
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted) on_failure_(name, failure);
      } catch (...) {
        on_failure_(name, failure);
      }
    }
    if (children_.empty()) idle_.notify();
  };
  // A coroutine that was cancelled and never suspended must not throw in co_spawn's own last step.
  auto guarded = [body = std::move(body)]() -> Task<void> {
    std::exception_ptr failure;
    try {
      co_await body();
    } catch (...) {
      failure = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(false);
    if (failure) std::rethrow_exception(failure);
  };
  asio::co_spawn(executor_, std::move(guarded),
                 asio::bind_cancellation_slot(child->slot(), std::move(on_end)));
}

void TaskScope::cancel() {
  // A child may end, and so leave the list, while it is being told.
  for (auto next = children_.begin(); next != children_.end();) {
    auto& child = *next++;
    child.emit(asio::cancellation_type::terminal);
  }
}

Task<void> TaskScope::join() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!children_.empty()) {
    const bool notified = co_await idle_.wait();
    if (!notified) {
      cancel();
      co_await asio::this_coro::reset_cancellation_state();
    }
  }
}

Task<bool> sleep_for(std::chrono::steady_clock::duration duration) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, duration);
  const auto [failure] = co_await timer.async_wait(kNoThrow);
  co_return !failure;
}

}  // namespace relay
