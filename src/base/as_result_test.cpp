#include "base/as_result.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <new>
#include <optional>
#include <vector>

namespace relay {
namespace {

class AsResult : public testing::Test {
 protected:
  using Body = std::function<Task<Result<int>>()>;

  // Until nothing is left to do.
  void run(Body body) {
    asio::co_spawn(
        loop_, as_result(body()),
        asio::bind_cancellation_slot(stop_.slot(), [this](std::exception_ptr why, Result<int> got) {
          has_thrown_ = why != nullptr;
          got_ = std::move(got);
        }));
    loop_.poll();
  }

  asio::io_context loop_{1};
  asio::cancellation_signal stop_;
  std::optional<Result<int>> got_;
  bool has_thrown_ = false;
};

TEST_F(AsResult, IsWhatTheTaskGives) {
  run([]() -> Task<Result<int>> { co_return 7; });
  EXPECT_EQ(**got_, 7);
}

TEST_F(AsResult, IsAnErrorWhereItThrows) {
  const std::vector<Body> bodies{[]() -> Task<Result<int>> {
                                   throw std::bad_alloc();
                                   co_return 7;
                                 },
                                 []() -> Task<Result<int>> {
                                   throw boost::system::system_error(asio::error::no_descriptors);
                                   co_return 7;
                                 }};
  for (const Body& body : bodies) {
    run(body);
    EXPECT_FALSE(has_thrown_);
    ASSERT_FALSE(*got_);
    EXPECT_EQ(got_->error().type, ErrorType::kInternalError);
    EXPECT_EQ(got_->error().possible_causes.size(), 1U);
  }
}

TEST_F(AsResult, IsNoneWhereItIsCancelled) {
  using namespace asio::experimental::awaitable_operators;
  const std::vector<Body> bodies{
      []() -> Task<Result<int>> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer timer(executor, std::chrono::hours(1));
        co_await timer.async_wait(asio::use_awaitable);
        co_return 7;
      },
      []() -> Task<Result<int>> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer one(executor, std::chrono::hours(1));
        asio::steady_timer other(executor, std::chrono::hours(1));
        co_await (one.async_wait(asio::use_awaitable) || other.async_wait(asio::use_awaitable));
        co_return 7;
      }};
  for (const Body& body : bodies) {
    run(body);
    stop_.emit(asio::cancellation_type::terminal);
    loop_.restart();
    loop_.poll();
    EXPECT_TRUE(has_thrown_);
    has_thrown_ = false;
    loop_.restart();
  }
}

}  // namespace
}  // namespace relay
