// The coroutine vocabulary: Task, Wakeup, Event, TaskScope, sleep_for.
//
// Everything here belongs to one single-threaded executor: no locks, and no call from another
// thread. House rule (tools/lint_coroutines.py checks it, GCC 12.2 miscompiles the rest):
// `co_await` stands only as a statement, as the initialiser of a named local, or as the operand of
// `co_return`, and aggregates and capturing lambdas are named before they are awaited.
#pragma once

#include "base/any_handler.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/container/small_vector.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace relay {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<T>;

// Completion token: I/O errors come back as the first element of a tuple, nothing throws.
inline constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

// Wakes all coroutines that wait; each looks again for what it waited for. A wake-up sent while
// nobody waits is remembered for the next one. A destroyed Wakeup destroys the coroutines that wait
// for it, so: outlive your waiters.
//
// A turn of the loop costs a system call. Whoever handles all that a read brought, and then waits
// for more, does so in wake_together().
class Wakeup {
 public:
  explicit Wakeup(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  // Waiters go on in a later turn of the loop, or at the end of the wake_together() that this is
  // called in; never inside this call, in the order they came.
  void notify();

  // True: notified. False: the waiting coroutine was cancelled.
  Task<bool> wait();

 private:
  struct Initiation;

  // A vector of two or three: where there is one waiter it never allocates again.
  using Waiters = std::vector<AnyHandler<bool>>;

  void cancel(const void* waiter);

  asio::any_io_executor executor_;
  Waiters waiters_;
  bool signalled_ = false;
};

// Those whom the work of a wake_together() has notified.
class WokenTogether {
 public:
  WokenTogether();
  WokenTogether(const WokenTogether&) = delete;
  WokenTogether& operator=(const WokenTogether&) = delete;
  // Where something has thrown, the others go on in a later turn.
  ~WokenTogether();

  void go_on();

 private:
  friend class Wakeup;

  struct Woken {
    AnyHandler<bool> waiter;
    asio::any_io_executor executor;
  };

  void stop_gathering();

  bool is_gathering_;
  boost::container::small_vector<Woken, 2> woken_;
};

// Does `work`, which does not wait; then lets everybody go on whom that has notified, before it
// returns. So it is for a coroutine what a co_await is: others run meanwhile. Within another one it
// leaves that to the outer.
template <class Work>
void wake_together(Work&& work) {
  WokenTogether together;
  std::forward<Work>(work)();
  together.go_on();
}

// Happens once; any number of coroutines may wait for it.
class Event {
 public:
  explicit Event(asio::any_io_executor executor) : wakeup_(std::move(executor)) {}

  void happen();
  bool happened() const { return happened_; }

  // Returns at once when it has happened, and when the waiting coroutine is cancelled.
  Task<void> wait();

 private:
  Wakeup wakeup_;
  bool happened_ = false;
};

// For children whose failure shows in what they leave undone.
void ignore_failure(const std::string& task, std::exception_ptr failure);

// Whether the coroutine was asked to end whose state it is (asio::this_coro::cancellation_state).
inline bool is_cancelled(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

// Ends a coroutine as a cancelled wait does.
[[noreturn]] void throw_cancelled();

// What `body` throws, its cancellation too; null: nothing. For who has to clear up behind it, with
// waits of its own: from here on no cancellation interrupts the coroutine that asks. Children of a
// scope are best spawned in `body`: one that is cancelled already does not get there.
Task<std::exception_ptr> failure_of(Task<void> body);

// Owns child coroutines; none of them outlives the scope. Call join() before destroying it, also
// where something is thrown: see failure_of().
class TaskScope {
 public:
  // Told of a child that ended with an exception other than cancellation.
  using OnFailure = std::function<void(const std::string& task, std::exception_ptr failure)>;

  TaskScope(asio::any_io_executor executor, OnFailure on_failure);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();

  // Starts `body`, which may run up to its first suspension before this returns. The scope keeps
  // the callable, captures included, alive until the coroutine has ended.
  void spawn(std::string name, std::function<Task<void>()> body);

  // Asks every child to end (terminal cancellation). Not for a child of the scope itself: Asio
  // would throw where nobody catches.
  void cancel();

  // Returns when no child is left. Cancelling the joiner cancels the children, and still waits.
  Task<void> join();

  bool empty() const { return children_.empty(); }
  std::size_t size() const { return children_.size(); }

 private:
  asio::any_io_executor executor_;
  OnFailure on_failure_;
  Wakeup idle_;
  std::list<asio::cancellation_signal> children_;
};

// True: the time has passed. False: cancelled before.
Task<bool> sleep_for(std::chrono::steady_clock::duration duration);

}  // namespace relay
