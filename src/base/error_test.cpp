#include "base/error.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(Error, IsBuiltUpAlsoWhereItStands) {
  Error error = make_error(ErrorType::kUpstreamDenied, "why").because("a cause");
  error = std::move(error).suggest("a remedy").with("key", "k").retryable();
  EXPECT_EQ(error.explanation, "why");
  EXPECT_THAT(error.possible_causes, ElementsAre("a cause"));
  EXPECT_THAT(error.suggested_actions, ElementsAre("a remedy"));
  EXPECT_THAT(error.state, ElementsAre(Pair("key", StateValue("k"))));
  EXPECT_TRUE(error.recoverable);
}

TEST(IsServiceFailure, IsWhatAnOperatorHasToMend) {
  for (const ErrorType type :
       {ErrorType::kInternalError, ErrorType::kDockerNotAvailable, ErrorType::kImageNotFound,
        ErrorType::kContainerStartFailed, ErrorType::kAgentConnectionTimeout,
        ErrorType::kAgentStartFailed, ErrorType::kAgentExited, ErrorType::kAgentProtocolError}) {
    EXPECT_TRUE(is_service_failure(type)) << to_string(type);
  }
  for (const ErrorType type : {ErrorType::kContainerResourceExceeded, ErrorType::kInvalidParams,
                               ErrorType::kSessionLimitReached, ErrorType::kSessionClosed,
                               ErrorType::kWorkspaceUnavailable, ErrorType::kShuttingDown}) {
    EXPECT_FALSE(is_service_failure(type)) << to_string(type);
  }
}

}  // namespace
}  // namespace relay
