// For tests: one coroutine on a loop of its own.
#pragma once

#include "base/async.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <utility>

namespace relay::http::testing {

// Runs it to its end; fails when that takes longer than two minutes.
template <class Body>
void run(Body body) {
  asio::io_context loop(1);
  auto done = asio::co_spawn(loop, std::move(body), asio::use_future);
  loop.run_for(std::chrono::minutes(2));
  ASSERT_EQ(done.wait_for(std::chrono::seconds(0)), std::future_status::ready)
      << "the coroutine hangs";
  done.get();
}

}  // namespace relay::http::testing
