#include "base/blocking_calls.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Stands for a file system that answers only when it is told to.
struct DeadMount {
  std::promise<void> revived;
  std::shared_future<void> alive = revived.get_future().share();

  std::function<Result<int>()> call() const {
    return [alive = alive] {
      alive.wait();
      return Result<int>(1);
    };
  }
};

class BlockingCallsTest : public testing::Test {
 protected:
  using Answer = std::shared_ptr<std::optional<Result<int>>>;

  Answer ask(BlockingCalls& calls, std::function<Result<int>()> call) {
    auto answer = std::make_shared<std::optional<Result<int>>>();
    auto& stop = stops_.emplace_back();
    asio::co_spawn(
        loop_,
        [&calls, call, answer]() -> Task<void> {
          auto value = co_await calls.run("/mnt/x", call);
          answer->emplace(std::move(value));
        },
        asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr) { ++ended_; }));
    return answer;
  }
  void run_until_ended(int count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (ended_ < count && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(milliseconds(10));
    }
    ASSERT_EQ(ended_, count);
  }

  asio::io_context loop_{1};
  std::list<asio::cancellation_signal> stops_;
  int ended_ = 0;
};

TEST_F(BlockingCallsTest, AnswerWhatTheCallReturns) {
  BlockingCalls calls(loop_.get_executor(), 1, hours(1));
  const auto first = ask(calls, [] { return Result<int>(7); });
  const auto second = ask(calls, [] { return Result<int>(8); });
  run_until_ended(2);
  EXPECT_EQ(**first, 7);
  EXPECT_EQ(**second, 8);
}

TEST_F(BlockingCallsTest, OneAfterAnotherShareAThread) {
  BlockingCalls calls(loop_.get_executor(), 8, hours(1));
  const auto first = ask(calls, [] { return Result<int>(::gettid()); });
  ASSERT_NO_FATAL_FAILURE(run_until_ended(1));
  const auto second = ask(calls, [] { return Result<int>(::gettid()); });
  ASSERT_NO_FATAL_FAILURE(run_until_ended(2));
  ASSERT_TRUE(**first && **second);
  EXPECT_EQ(***first, ***second);
}

// Neither one that nothing waits for, nor the idle one when the object goes.
TEST_F(BlockingCallsTest, LeaveNoThreadBehind) {
  struct UntilTheThreadEnds {
    std::promise<void> ended;
    ~UntilTheThreadEnds() { ended.set_value(); }
  };
  auto calls = std::make_unique<BlockingCalls>(loop_.get_executor(), 8, hours(1));
  const auto ask_for_thread = [&](const DeadMount& mount) {
    auto mark = std::make_shared<UntilTheThreadEnds>();
    auto ended = mark->ended.get_future();
    ask(*calls, [alive = mount.alive, mark = std::move(mark)] {
      thread_local std::shared_ptr<UntilTheThreadEnds> kept;
      kept = mark;
      alive.wait();
      return Result<int>(1);
    });
    return ended;
  };
  DeadMount first_mount;
  DeadMount second_mount;
  const auto first = ask_for_thread(first_mount);
  const auto second = ask_for_thread(second_mount);
  loop_.poll();
  first_mount.revived.set_value();
  ASSERT_NO_FATAL_FAILURE(run_until_ended(1));  // its thread is idle
  second_mount.revived.set_value();
  ASSERT_NO_FATAL_FAILURE(run_until_ended(2));
  constexpr std::chrono::seconds kHangs(20);
  EXPECT_EQ(second.wait_for(kHangs), std::future_status::ready);
  EXPECT_EQ(first.wait_for(milliseconds(0)), std::future_status::timeout);
  calls.reset();
  EXPECT_EQ(first.wait_for(kHangs), std::future_status::ready);
}

TEST_F(BlockingCallsTest, WhatACallOwnsIsGoneWhenItsAskerIsTold) {
  BlockingCalls calls(loop_.get_executor(), 1, hours(1));
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> left = owned;
  bool was_left = true;
  asio::co_spawn(
      loop_,
      [&]() -> Task<void> {
        std::function<Result<int>()> call = [own = std::move(owned)] { return Result<int>(*own); };
        const auto value = co_await calls.run("/mnt/x", std::move(call));
        was_left = !left.expired();
      },
      [this](std::exception_ptr) { ++ended_; });
  run_until_ended(1);
  EXPECT_FALSE(was_left);
}

TEST_F(BlockingCallsTest, GiveUpNameThePathAndRefuseWhileEveryThreadHangs) {
  DeadMount mount;
  BlockingCalls calls(loop_.get_executor(), 1, milliseconds(20));
  const auto first = ask(calls, mount.call());
  run_until_ended(1);
  ASSERT_FALSE(**first);
  EXPECT_EQ((*first)->error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_EQ((*first)->error().explanation, "/mnt/x does not answer");
  const auto second = ask(calls, [] { return Result<int>(7); });
  loop_.restart();
  loop_.poll();
  ASSERT_EQ(ended_, 2) << "refused at once";
  EXPECT_FALSE(**second);
  mount.revived.set_value();
  loop_.restart();
  loop_.run_one_for(std::chrono::seconds(20));  // the thread says that it is free
  BlockingCalls patient(loop_.get_executor(), 1, hours(1));
  const auto third = ask(patient, [] { return Result<int>(9); });
  run_until_ended(3);
  EXPECT_EQ(**third, 9);
}

TEST_F(BlockingCallsTest, TellOfACallThatThrows) {
  BlockingCalls calls(loop_.get_executor(), 1, hours(1));
  const auto first =
      ask(calls, []() -> Result<int> { throw std::runtime_error("no descriptors"); });
  const auto second = ask(calls, []() -> Result<int> { throw 7; });
  const auto third = ask(calls, [] { return Result<int>(7); });
  run_until_ended(3);
  ASSERT_FALSE(**first);
  EXPECT_EQ((*first)->error().type, ErrorType::kInternalError);
  EXPECT_EQ((*first)->error().explanation, "cannot look at /mnt/x: no descriptors");
  EXPECT_FALSE(**second);
  EXPECT_EQ(**third, 7) << "its thread is free again";
}

// A client may leave while a file system is slow, which is not dead for that.
TEST_F(BlockingCallsTest, WaitForACallWhoseAskerIsCancelled) {
  DeadMount mount;
  BlockingCalls calls(loop_.get_executor(), 1, hours(1));
  ask(calls, mount.call());
  loop_.poll();
  stops_.back().emit(asio::cancellation_type::terminal);
  run_until_ended(1);
  const auto second = ask(calls, [] { return Result<int>(7); });
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(ended_, 1) << "it waits for its turn";
  mount.revived.set_value();
  run_until_ended(2);
  EXPECT_EQ(**second, 7);
}

TEST_F(BlockingCallsTest, LeaveNothingDanglingWhenTheAskerIsCancelled) {
  DeadMount mount;
  auto calls = std::make_unique<BlockingCalls>(loop_.get_executor(), 1, hours(1));
  const auto answer = ask(*calls, mount.call());
  loop_.poll();
  stops_.back().emit(asio::cancellation_type::terminal);
  run_until_ended(1);
  calls.reset();
  mount.revived.set_value();
}

TEST(Probe, AsksNothingFurtherWhileAQuestionIsOut) {
  DeadMount mount;
  Probe probe;
  EXPECT_EQ(probe.ask([] { return 3; }, hours(1)), 3);
  auto over = std::make_shared<std::promise<void>>();
  const auto hang = [alive = mount.alive, over] {
    alive.wait();
    over->set_value();
    return 0;
  };
  EXPECT_FALSE(probe.ask(hang, milliseconds(1)));
  EXPECT_FALSE(probe.ask([] { return 4; }, hours(1)));
  mount.revived.set_value();
  over->get_future().wait();
  std::optional<int> answer;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!answer && std::chrono::steady_clock::now() < deadline) {
    answer = probe.ask([] { return 5; }, hours(1));
  }
  EXPECT_EQ(answer, 5);
}

}  // namespace
}  // namespace relay
