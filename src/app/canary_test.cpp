#include "app/canary.hpp"

#include "session/agent_failure.hpp"

#include <gtest/gtest.h>

namespace relay::app {
namespace {

TEST(CanaryFailed, ForWantOfTheRelayTheEngineOrTheAgentOnly) {
  struct Row {
    Error error;
    std::optional<bool> failed;
  };
  const auto refused = [](const char* error_json) {
    return agent_refused("session/new", error_json);
  };
  const Row rows[] = {
      {make_error(ErrorType::kImageNotFound, "no image"), true},
      {make_error(ErrorType::kContainerResourceExceeded, "killed for memory"), true},
      {make_error(ErrorType::kWorkspaceUnavailable, "a full disk"), true},
      {agent_exited({}, "initialize"), true},
      {refused(R"({"code":-32603,"message":"broken"})"), true},
      {refused(R"({"code":-32601,"message":"no such method"})"), true},
      {refused(R"({"code":-32000,"message":"log in"})"), false},
      {make_error(ErrorType::kSessionLimitReached, "others have them all"), std::nullopt},
      {make_error(ErrorType::kSessionClosed, "an operator closed it"), std::nullopt},
      {make_error(ErrorType::kShuttingDown, "the relay ends"), std::nullopt},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(canary_failed(row.error), row.failed) << row.error.explanation;
  }
}

}  // namespace
}  // namespace relay::app
