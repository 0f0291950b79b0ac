#include "backend/docker/start_limiter.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace relay {
namespace {

class StartLimiterTest : public testing::Test {
 protected:
  // Starts numbered coroutines; each takes a place and holds it until it is told to go on.
  void start(StartLimiter& limiter, TaskScope& scope, int count) {
    for (int one = 0; one < count; ++one) {
      const int number = static_cast<int>(go_on_.size());
      go_on_.push_back(std::make_shared<Event>(io_.get_executor()));
      scope.spawn("start", [this, &limiter, number, go_on = go_on_.back()] {
        return hold(limiter, number, go_on);
      });
    }
    settle();
  }

  Task<void> hold(StartLimiter& limiter, int number, std::shared_ptr<Event> go_on) {
    const StartLimiter::Slot slot = co_await limiter.take();
    begun_.push_back(number);
    ++running_;
    most_ = std::max(most_, running_);
    co_await go_on->wait();
    --running_;
  }

  void finish(int number) {
    go_on_[static_cast<std::size_t>(number)]->happen();
    settle();
  }

  void settle() {
    io_.restart();
    io_.poll();
  }

  TaskScope::OnFailure ignore() {
    return [](const std::string&, std::exception_ptr) { ADD_FAILURE() << "a start failed"; };
  }

  asio::io_context io_;
  std::vector<std::shared_ptr<Event>> go_on_;
  std::vector<int> begun_;
  int running_ = 0;
  int most_ = 0;
};

TEST_F(StartLimiterTest, ServesFirstComeFirstServed) {
  StartLimiter limiter(io_.get_executor(), 2);
  TaskScope scope(io_.get_executor(), ignore());
  start(limiter, scope, 5);
  EXPECT_EQ(begun_, (std::vector<int>{0, 1}));
  EXPECT_EQ(limiter.waiting(), 3U);
  finish(1);
  EXPECT_EQ(begun_, (std::vector<int>{0, 1, 2}));
  finish(0);
  finish(2);
  EXPECT_EQ(begun_, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(limiter.waiting(), 0U);
  finish(3);
  finish(4);
  EXPECT_EQ(most_, 2);
  EXPECT_TRUE(scope.empty());
}

TEST_F(StartLimiterTest, GivesEveryPlaceBack) {
  StartLimiter limiter(io_.get_executor(), 3);
  TaskScope scope(io_.get_executor(), ignore());
  for (int round = 0; round < 3; ++round) {
    const int first = static_cast<int>(go_on_.size());
    start(limiter, scope, 10);
    for (int number = first; number < first + 10; ++number) finish(number);
  }
  EXPECT_EQ(begun_.size(), 30U);
  EXPECT_EQ(most_, 3);
  start(limiter, scope, 4);
  EXPECT_EQ(running_, 3) << "as many as at the beginning";
  for (const auto& event : go_on_) event->happen();
  settle();
  EXPECT_TRUE(scope.empty());
}

TEST_F(StartLimiterTest, LetsNobodyJumpTheLine) {
  StartLimiter limiter(io_.get_executor(), 1);
  TaskScope scope(io_.get_executor(), ignore());
  start(limiter, scope, 2);
  // The place is promised to number 1 and not yet taken when number 2 comes.
  go_on_[0]->happen();
  start(limiter, scope, 1);
  EXPECT_EQ(begun_, (std::vector<int>{0, 1}));
  finish(1);
  finish(2);
  EXPECT_EQ(begun_, (std::vector<int>{0, 1, 2}));
}

TEST_F(StartLimiterTest, LosesNoPlaceToOneWhoIsCancelled) {
  StartLimiter limiter(io_.get_executor(), 1);
  TaskScope scope(io_.get_executor(), ignore());
  TaskScope cancelled(io_.get_executor(), ignore());
  start(limiter, scope, 1);
  start(limiter, cancelled, 2);
  start(limiter, scope, 1);
  EXPECT_EQ(limiter.waiting(), 3U);
  cancelled.cancel();
  settle();
  EXPECT_TRUE(cancelled.empty());
  EXPECT_EQ(limiter.waiting(), 1U);
  finish(0);
  EXPECT_EQ(begun_, (std::vector<int>{0, 3}));
  finish(3);
  EXPECT_TRUE(scope.empty());
}

TEST_F(StartLimiterTest, PassesOnAPlaceThatCameWithTheCancellation) {
  StartLimiter limiter(io_.get_executor(), 1);
  TaskScope scope(io_.get_executor(), ignore());
  TaskScope cancelled(io_.get_executor(), ignore());
  start(limiter, scope, 1);
  start(limiter, cancelled, 1);
  start(limiter, scope, 1);
  go_on_[0]->happen();
  cancelled.cancel();
  settle();
  for (const auto& event : go_on_) event->happen();
  settle();
  EXPECT_TRUE(cancelled.empty());
  EXPECT_TRUE(scope.empty());
  EXPECT_EQ(begun_.back(), 2);
  EXPECT_EQ(limiter.waiting(), 0U);
}

}  // namespace
}  // namespace relay
