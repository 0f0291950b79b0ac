// Removing a container that ends, or goes, by itself at the same time.
#include "engine/client.hpp"
#include "engine/testing/run_task.hpp"
#include "engine/testing/scripted_engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace relay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScriptedEngine;
using ::testing::StartsWith;

// Answers a removal with these one after another, and that the container has ended to who waits.
struct Removal {
  explicit Removal(std::vector<ScriptedEngine::Answer> answers)
      : engine(
            [answers = std::move(answers), next = std::size_t{0}](const std::string& line) mutable {
              if (line.starts_with("GET /version ")) return ScriptedEngine::version("1.41", "1.12");
              if (line.starts_with("DELETE ") && next < answers.size()) return answers[next++];
              return ScriptedEngine::json(200, R"({"StatusCode":0})");
            }) {
    testing::run([this]() -> Task<void> {
      http::Endpoint endpoint;
      endpoint.transport = http::Endpoint::Transport::kUnix;
      endpoint.socket_path = engine.path();
      const auto executor = co_await asio::this_coro::executor;
      const EngineOptions options;
      const auto client = std::make_shared<EngineClient>(executor, endpoint, options);
      auto removed = co_await client->remove("x");
      result = std::move(removed);
    });
    calls = engine.lines();
    calls.erase(calls.begin());  // the one for its version
  }

  ScriptedEngine engine;
  Result<void> result;
  std::vector<std::string> calls;
};

const ScriptedEngine::Answer kHasJustEnded = ScriptedEngine::json(
    500,
    R"({"message":"Could not kill running container x, cannot remove - Container x is not running"})");

TEST(RemovalOfAContainer, WaitsForOneThatIsInProgress) {
  const Removal removal({ScriptedEngine::json(
      409, R"({"message":"removal of container x is already in progress"})")});
  EXPECT_TRUE(removal.result);
  EXPECT_THAT(removal.calls,
              ElementsAre(StartsWith("DELETE "), HasSubstr("wait?condition=removed")));
}

TEST(RemovalOfAContainer, IsAskedForAgainWhereItEndedBeforeItWasKilled) {
  const Removal removal({kHasJustEnded, ScriptedEngine::json(204, "")});
  EXPECT_TRUE(removal.result);
  EXPECT_THAT(removal.calls, ElementsAre(StartsWith("DELETE "), StartsWith("DELETE ")));
}

TEST(RemovalOfAContainer, IsAskedForAgainOnce) {
  const Removal removal({kHasJustEnded, kHasJustEnded});
  ASSERT_FALSE(removal.result);
  EXPECT_THAT(removal.result.error().explanation, HasSubstr("is not running"));
  EXPECT_EQ(removal.calls.size(), 2u);
}

}  // namespace
}  // namespace relay::engine
