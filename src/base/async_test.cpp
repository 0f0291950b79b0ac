#include "base/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>

#include <stdexcept>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AsyncTest : public testing::Test {
 protected:
  // Starts a coroutine that notes what it did.
  void start(std::function<Task<void>()> body) {
    auto& stop = stops_.emplace_back();
    asio::co_spawn(loop_, std::move(body),
                   asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr failure) {
                     seen_.push_back(failure ? "failed" : "ended");
                   }));
  }
  void turn() {
    loop_.restart();
    loop_.poll();
  }
  // Turns until everything has ended, at most for some seconds.
  void finish() {
    loop_.restart();
    loop_.run_for(std::chrono::seconds(20));
  }
  // The one that was started last.
  void cancel() { stops_.back().emit(asio::cancellation_type::terminal); }

  Task<void> wait_once(Wakeup& wakeup) {
    const bool notified = co_await wakeup.wait();
    seen_.push_back(notified ? "notified" : "cancelled");
  }
  Task<void> wait_twice(Wakeup& wakeup) {
    for (int i = 0; i < 2; ++i) {
      const bool notified = co_await wakeup.wait();
      seen_.push_back(notified ? "notified" : "cancelled");
    }
  }
  Task<void> wait_for(Event& event) {
    co_await event.wait();
    seen_.push_back(event.happened() ? "happened" : "gave up");
  }

  asio::io_context loop_{1};
  std::list<asio::cancellation_signal> stops_;
  std::vector<std::string> seen_;
};

using WakeupTest = AsyncTest;
using WakeTogetherTest = AsyncTest;
using EventTest = AsyncTest;
using SleepTest = AsyncTest;
using FailureOfTest = AsyncTest;

TEST_F(WakeupTest, WakesTheWaiterInALaterTurn) {
  Wakeup wakeup(loop_.get_executor());
  start([&] { return wait_once(wakeup); });
  turn();
  EXPECT_THAT(seen_, IsEmpty());
  wakeup.notify();
  EXPECT_THAT(seen_, IsEmpty());
  turn();
  EXPECT_THAT(seen_, ElementsAre("notified", "ended"));
}

TEST_F(WakeupTest, RemembersOneWakeUpThatCameEarly) {
  Wakeup wakeup(loop_.get_executor());
  wakeup.notify();
  wakeup.notify();
  start([&] { return wait_twice(wakeup); });
  turn();
  EXPECT_THAT(seen_, ElementsAre("notified"));
  wakeup.notify();
  turn();
  EXPECT_THAT(seen_, ElementsAre("notified", "notified", "ended"));
}

TEST_F(WakeupTest, WakesAllWhoWaitInTheOrderTheyCame) {
  Wakeup wakeup(loop_.get_executor());
  for (const char* name : {"first", "second", "third"}) {
    start([this, &wakeup, name]() -> Task<void> {
      const bool notified = co_await wakeup.wait();
      seen_.push_back(std::string(name) + (notified ? " notified" : " cancelled"));
    });
  }
  turn();
  wakeup.notify();
  turn();
  EXPECT_THAT(seen_, ElementsAre("first notified", "ended", "second notified", "ended",
                                 "third notified", "ended"));
}

TEST_F(WakeupTest, CancelsOneOfSeveralWaiters) {
  Wakeup wakeup(loop_.get_executor());
  start([this, &wakeup] { return wait_once(wakeup); });
  start([this, &wakeup] { return wait_once(wakeup); });
  turn();
  cancel();
  turn();
  EXPECT_THAT(seen_, ElementsAre("cancelled", "ended"));
  wakeup.notify();
  turn();
  EXPECT_THAT(seen_, ElementsAre("cancelled", "ended", "notified", "ended"));
}

TEST_F(WakeupTest, TellsTheWaiterThatItWasCancelled) {
  Wakeup wakeup(loop_.get_executor());
  start([&] { return wait_once(wakeup); });
  turn();
  cancel();
  turn();
  EXPECT_THAT(seen_, ElementsAre("cancelled", "ended"));
}

TEST_F(WakeupTest, LosesNoWakeUpToACancellationThatComesWithIt) {
  Wakeup wakeup(loop_.get_executor());
  start([&] { return wait_once(wakeup); });
  turn();
  wakeup.notify();
  cancel();
  turn();
  EXPECT_THAT(seen_, ElementsAre("notified", "ended"));
}

TEST_F(WakeupTest, DestroysItsWaiterWhenItGoesAway) {
  auto wakeup = std::make_unique<Wakeup>(loop_.get_executor());
  auto alive = std::make_shared<int>();
  const std::weak_ptr<int> watch = alive;
  start([this, &wakeup, kept = std::move(alive)] { return wait_once(*wakeup); });
  turn();
  EXPECT_FALSE(watch.expired());
  wakeup.reset();
  turn();
  EXPECT_TRUE(watch.expired());
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(WakeTogetherTest, GoesOnWithAllWhomItsWorkNotifiedBeforeItReturns) {
  Wakeup first(loop_.get_executor());
  Wakeup second(loop_.get_executor());
  start([&] { return wait_twice(second); });
  start([&] { return wait_once(first); });
  turn();
  wake_together([&] {
    first.notify();
    second.notify();
    second.notify();  // remembered, for nobody waits again yet
    EXPECT_THAT(seen_, IsEmpty());
  });
  EXPECT_THAT(seen_, ElementsAre("notified", "notified", "notified"));
}

TEST_F(WakeTogetherTest, LeavesThemToTheOuterOne) {
  Wakeup wakeup(loop_.get_executor());
  start([&] { return wait_once(wakeup); });
  turn();
  wake_together([&] {
    wake_together([&] { wakeup.notify(); });
    EXPECT_THAT(seen_, IsEmpty());
  });
  EXPECT_THAT(seen_, ElementsAre("notified"));
}

TEST_F(WakeTogetherTest, HasThoseWhomTheyNotifyGoOnInALaterTurn) {
  Wakeup first(loop_.get_executor());
  Wakeup second(loop_.get_executor());
  start([&]() -> Task<void> {
    co_await first.wait();
    second.notify();
  });
  start([&] { return wait_once(second); });
  turn();
  wake_together([&] { first.notify(); });
  EXPECT_THAT(seen_, IsEmpty());
  turn();
  EXPECT_THAT(seen_, ElementsAre("notified", "ended", "ended"));
}

TEST_F(WakeTogetherTest, LosesNoneOfThemToAnException) {
  Wakeup wakeup(loop_.get_executor());
  start([&] { return wait_once(wakeup); });
  turn();
  const auto work = [&] {
    wakeup.notify();
    throw std::runtime_error("boom");
  };
  EXPECT_THROW(wake_together(work), std::runtime_error);
  EXPECT_THAT(seen_, IsEmpty());
  turn();
  EXPECT_THAT(seen_, ElementsAre("notified", "ended"));
}

TEST_F(EventTest, WakesAllWhoWaitAndAllWhoComeLater) {
  Event event(loop_.get_executor());
  for (int i = 0; i < 3; ++i) start([&] { return wait_for(event); });
  turn();
  EXPECT_THAT(seen_, IsEmpty());
  event.happen();
  event.happen();
  turn();
  EXPECT_EQ(seen_.size(), 6u);
  start([&] { return wait_for(event); });
  turn();
  EXPECT_EQ(seen_.size(), 8u);
  EXPECT_THAT(seen_, testing::Each(testing::AnyOf("happened", "ended")));
}

TEST_F(EventTest, LetsACancelledWaiterGo) {
  Event event(loop_.get_executor());
  start([&] { return wait_for(event); });
  turn();
  cancel();
  turn();
  EXPECT_THAT(seen_, ElementsAre("gave up", "ended"));
  event.happen();
  turn();
}

TEST_F(SleepTest, TellsWhetherTheTimeHasPassed) {
  const auto sleeper = [this](std::chrono::steady_clock::duration time) -> Task<void> {
    const bool slept = co_await sleep_for(time);
    seen_.push_back(slept ? "slept" : "woken");
  };
  start([&] { return sleeper(milliseconds(1)); });
  finish();
  EXPECT_THAT(seen_, ElementsAre("slept", "ended"));
  seen_.clear();
  start([&] { return sleeper(hours(1)); });
  turn();
  cancel();
  finish();
  EXPECT_THAT(seen_, ElementsAre("woken", "ended"));
}

TEST_F(FailureOfTest, GivesWhatIsThrown) {
  start([this]() -> Task<void> {
    const auto bad = []() -> Task<void> {
      throw std::runtime_error("boom");
      co_return;
    };
    auto asked = failure_of(bad());
    const auto failure = co_await std::move(asked);
    EXPECT_THROW(std::rethrow_exception(failure), std::runtime_error);
    const auto good = []() -> Task<void> { co_return; };
    auto asked_again = failure_of(good());
    const auto none = co_await std::move(asked_again);
    EXPECT_FALSE(none);
    seen_.push_back("both");
  });
  turn();
  EXPECT_THAT(seen_, ElementsAre("both", "ended"));
}

TEST_F(FailureOfTest, LetsWhoWasCancelledClearUp) {
  Wakeup wakeup(loop_.get_executor());
  start([&]() -> Task<void> {
    const auto body = [&]() -> Task<void> {
      cancel();
      co_await wait_once(wakeup);  // throws
    };
    auto asked = failure_of(body());
    const auto failure = co_await std::move(asked);
    EXPECT_TRUE(failure);
    co_await asio::post(loop_.get_executor(), asio::use_awaitable);
    seen_.push_back("cleared up");
  });
  turn();
  EXPECT_THAT(seen_, ElementsAre("cleared up", "ended"));
}

class TaskScopeTest : public AsyncTest {
 protected:
  Task<void> sleep_long() {
    const bool slept = co_await sleep_for(hours(1));
    seen_.push_back(slept ? "slept" : "woken");
  }
  Task<void> fail() {
    co_await asio::post(loop_.get_executor(), asio::use_awaitable);
    throw std::runtime_error("boom");
  }
  // Cleans up with an await after it was cancelled.
  Task<void> clean_up() {
    co_await sleep_for(hours(1));
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state();
    co_await sleep_for(milliseconds(1));
    seen_.push_back("clean");
  }
  // Awaits again without a look at the cancellation, which throws.
  Task<void> stubborn() {
    co_await sleep_for(hours(1));
    co_await sleep_for(hours(1));
  }
  Task<void> join() {
    co_await scope_.join();
    seen_.push_back("joined");
  }
  void join_now() {
    start([this] { return join(); });
  }

  TaskScope scope_{loop_.get_executor(), [this](const std::string& task, std::exception_ptr) {
                     seen_.push_back("failure of " + task);
                   }};
};

TEST_F(TaskScopeTest, JoinsAtOnceWhenThereIsNothing) {
  EXPECT_TRUE(scope_.empty());
  join_now();
  turn();
  EXPECT_THAT(seen_, ElementsAre("joined", "ended"));
}

TEST_F(TaskScopeTest, StartsChildrenInALaterTurn) {
  scope_.spawn("child", [this] { return sleep_long(); });
  EXPECT_FALSE(scope_.empty());
  EXPECT_THAT(seen_, IsEmpty());
  scope_.cancel();  // before its first step
  join_now();
  finish();
  EXPECT_TRUE(scope_.empty());
  EXPECT_THAT(seen_, testing::Contains("joined"));
}

TEST_F(TaskScopeTest, CancelEndsAllChildrenAndJoinWaitsForThem) {
  for (int i = 0; i < 3; ++i) scope_.spawn("child", [this] { return sleep_long(); });
  join_now();
  turn();
  EXPECT_THAT(seen_, IsEmpty());
  scope_.cancel();
  turn();
  EXPECT_THAT(seen_, ElementsAre("woken", "woken", "woken", "joined", "ended"));
}

TEST_F(TaskScopeTest, AChildMayCancelItsScopeAndEndInItsFirstStep) {
  scope_.spawn("child", [this]() -> Task<void> {
    scope_.cancel();
    seen_.push_back("cancelled");
    co_return;
  });
  join_now();
  finish();
  EXPECT_TRUE(scope_.empty());
  EXPECT_THAT(seen_, ElementsAre("cancelled", "joined", "ended"));
}

TEST_F(TaskScopeTest, CancellingTheJoinerCancelsTheChildrenAndStillWaits) {
  scope_.spawn("child", [this] { return clean_up(); });
  join_now();
  turn();
  cancel();
  finish();
  ASSERT_FALSE(seen_.empty());
  EXPECT_EQ(seen_.front(), "clean");
  EXPECT_TRUE(scope_.empty());
}

TEST_F(TaskScopeTest, ReportsExceptionsButNotCancellations) {
  scope_.spawn("bad", [this] { return fail(); });
  scope_.spawn("stubborn", [this] { return stubborn(); });
  turn();
  EXPECT_THAT(seen_, ElementsAre("failure of bad"));
  scope_.cancel();
  join_now();
  finish();
  EXPECT_THAT(seen_, ElementsAre("failure of bad", "joined", "ended"));
}

TEST_F(TaskScopeTest, KeepsTheCallableUntilItsCoroutineHasEnded) {
  auto alive = std::make_shared<int>();
  const std::weak_ptr<int> watch = alive;
  scope_.spawn("child", [this, kept = std::move(alive)] { return sleep_long(); });
  turn();
  EXPECT_FALSE(watch.expired());
  scope_.cancel();
  join_now();
  finish();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace relay
