// What an observer is told of calls that nobody waits for any more.
#include "engine/client.hpp"
#include "engine/testing/run_task.hpp"
#include "engine/testing/scripted_engine.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <future>

namespace relay::engine {
namespace {

using testing::ScriptedEngine;

http::Endpoint endpoint_of(const ScriptedEngine& engine) {
  http::Endpoint endpoint;
  endpoint.transport = http::Endpoint::Transport::kUnix;
  endpoint.socket_path = engine.path();
  return endpoint;
}

TEST(CallTimer, TellsNothingOfACallThatWasCancelled) {
  using namespace asio::experimental::awaitable_operators;
  std::promise<std::function<void()>> leave;
  ScriptedEngine engine([&leave](const std::string& line) {
    if (line.starts_with("GET /version ")) return ScriptedEngine::version("1.41", "1.12");
    leave.get_future().get()();
    return ScriptedEngine::Answer{};
  });
  std::vector<CallOutcome> seen;
  testing::run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Event left(executor);
    leave.set_value([&] { asio::post(executor, [&left] { left.happen(); }); });
    EngineOptions options;
    options.observe = [&seen](const CallOutcome& outcome) { seen.push_back(outcome); };
    EngineClient client(executor, endpoint_of(engine), options);
    auto call = client.inspect("c");
    auto leaving = left.wait();
    const auto first = co_await (std::move(call) || std::move(leaving));
    EXPECT_EQ(first.index(), 1U);
  });
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].call, Call::kVersion);
  EXPECT_EQ(seen[0].failure, std::nullopt);
}

// The image of an Engine that hangs; it says which version it has.
TEST(CallTimer, TellsOfACallThatTookLongerThanItsOwnLimit) {
  ScriptedEngine engine([](const std::string& line) {
    if (line.starts_with("GET /version ")) return ScriptedEngine::version("1.41", "1.12");
    return ScriptedEngine::Answer{};
  });
  std::vector<CallOutcome> seen;
  testing::run([&]() -> Task<void> {
    EngineOptions options;
    options.call_timeout = std::chrono::hours(1);
    options.observe = [&seen](const CallOutcome& outcome) { seen.push_back(outcome); };
    const auto executor = co_await asio::this_coro::executor;
    EngineClient client(executor, endpoint_of(engine), options);
    const auto image = co_await client.inspect_image("agent", std::chrono::milliseconds(50));
    EXPECT_EQ(image.error().type, ErrorType::kDockerNotAvailable);
  });
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[1].call, Call::kImage);
  EXPECT_EQ(seen[1].failure, CallFailure::kTimeout);
}

}  // namespace
}  // namespace relay::engine
