// For tests: one coroutine, run to its end on a loop of its own.
#pragma once

#include "base/async.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <string>

namespace relay::engine::testing {

inline void run(std::function<Task<void>()> body,
                std::chrono::seconds limit = std::chrono::seconds(60)) {
  asio::io_context loop(1);
  std::future<void> done = asio::co_spawn(loop, std::move(body), asio::use_future);
  loop.run_for(limit);
  ASSERT_EQ(done.wait_for(std::chrono::seconds(0)), std::future_status::ready)
      << "the coroutine hangs";
  done.get();
}

// The explanation of a failure, for messages of assertions.
template <class R>
std::string why(const R& result) {
  return result ? std::string("it is a success") : result.error().explanation;
}

// Ends the test's coroutine when the result is a failure.
#define RELAY_NEED(result)                                                     \
  if (!(result)) {                                                             \
    ADD_FAILURE() << #result << ": " << ::relay::engine::testing::why(result); \
    co_return;                                                                 \
  }

}  // namespace relay::engine::testing
