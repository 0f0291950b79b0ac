#include "cli/preflight/agent_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli::preflight {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

AgentTrial answered(std::string answer) {
  AgentTrial trial;
  trial.answer = std::move(answer);
  trial.isolation = Isolation::kContainer;
  trial.program = "image a:1";
  trial.took = std::chrono::milliseconds(1'240);
  return trial;
}

TEST(PreflightAgent, SaysWhoAnswersAndHowFast) {
  const Finding good = agent_finding(
      "agent", answered(R"({"protocolVersion":1,"agentInfo":{"name":"x","version":"2"}})"));
  EXPECT_EQ(good.verdict, Verdict::kGood);
  EXPECT_EQ(good.told,
            "image a:1 answers initialize after 1.2 s, as a container: protocol version 1, agent x "
            "2");
}

TEST(PreflightAgent, OfAnotherVersionIsAWarning) {
  for (const char* answer :
       {R"({"protocolVersion":2})", "{}", "null", R"({"protocolVersion":"1"})"}) {
    const Finding other = agent_finding("agent", answered(answer));
    EXPECT_EQ(other.verdict, Verdict::kWarning) << answer;
    EXPECT_THAT(other.remedies, Contains(HasSubstr("version 1 of ACP"))) << answer;
  }
}

TEST(PreflightAgent, AsAProcessInPlaceOfAContainerIsAWarning) {
  AgentTrial trial = answered(R"({"protocolVersion":1})");
  trial.isolation = Isolation::kProcess;
  trial.no_containers_because = "no Engine";
  const Finding process = agent_finding("agent", trial);
  EXPECT_EQ(process.verdict, Verdict::kWarning);
  EXPECT_THAT(process.told,
              HasSubstr("NO CONTAINERS although container.enabled is true: no Engine"));
}

TEST(PreflightAgent, ThatFailsHasItsLastWords) {
  AgentTrial trial = answered("");
  trial.answer = make_error(ErrorType::kAgentStartFailed, "it ended")
                     .suggest("read details and the relay's log")
                     .suggest("agent.env")
                     .with("stderr", "first\nno key\n\n");
  const Finding failed = agent_finding("agent", trial);
  EXPECT_EQ(failed.verdict, Verdict::kBad);
  EXPECT_EQ(failed.told, "it ended; its last words on stderr: no key");
  EXPECT_THAT(failed.remedies, ElementsAre("agent.env"));
  trial.answer = make_error(ErrorType::kAgentStartFailed, "it ended").with("stderr", "\n");
  EXPECT_EQ(agent_finding("agent", trial).told, "it ended");
  EXPECT_THAT(agent_finding("agent", trial).remedies, Contains(HasSubstr("by hand")));
  trial.left_by = "acp.relay.instance=7";
  EXPECT_THAT(agent_finding("agent", trial).remedies,
              Contains(HasSubstr("--filter label=acp.relay.instance=7")));
}

}  // namespace
}  // namespace relay::cli::preflight
