// What of the past is shown, and how failures of agents are told.
#include "protocol/frame.hpp"
#include "session/agent_failure.hpp"
#include "session/replay_view.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using storage::MessageKind;
using ::testing::HasSubstr;
using ::testing::Not;

storage::MessageRecord record(MessageKind kind, bool to_client, std::string method = {}) {
  storage::MessageRecord made;
  made.kind = kind;
  made.to_client = to_client;
  made.method = std::move(method);
  return made;
}

TEST(ReplayView, ShowsWhatEveryoneWasShown) {
  for (const bool feed : {false, true}) {
    EXPECT_TRUE(is_replayed(record(MessageKind::kNotification, true), feed));
    EXPECT_FALSE(is_replayed(record(MessageKind::kNotification, false), feed));
    EXPECT_FALSE(is_replayed(record(MessageKind::kRequest, true), feed));
    EXPECT_EQ(is_replayed(record(MessageKind::kResponse, true), feed), feed);
    EXPECT_FALSE(is_replayed(record(MessageKind::kResponse, false), feed));
  }
}

TEST(ReplayView, TellsTheKindsApart) {
  EXPECT_EQ(delivery_kind(record(MessageKind::kNotification, true, "session/update")),
            DeliveryKind::kUpdate);
  EXPECT_EQ(delivery_kind(record(MessageKind::kNotification, true, "_x/y")),
            DeliveryKind::kNotification);
  EXPECT_EQ(delivery_kind(record(MessageKind::kResponse, true)), DeliveryKind::kResponse);
  EXPECT_EQ(delivery_kind(record(MessageKind::kRequest, true, "x")), DeliveryKind::kRequest);
}

TEST(ReplayView, SaysWhatIsMissing) {
  EXPECT_EQ(
      gap_notice(SessionId("sess_x"), {3, 9}).view(),
      R"({"jsonrpc":"2.0","method":"_acp-relay/gap","params":{"sessionId":"sess_x","from":3,"to":9}})");
}

const StateValue* state(const Error& error, std::string_view key) {
  for (const auto& [name, value] : error.state) {
    if (name == key) return &value;
  }
  return nullptr;
}

TEST(AgentFailure, SaysHowTheAgentEnded) {
  AgentExit exit;
  exit.exit_code = 3;
  exit.stderr_tail = "no key\n";
  const Error error = agent_exited(exit, "a turn");
  EXPECT_EQ(error.type, ErrorType::kAgentExited);
  EXPECT_EQ(error.explanation, "the agent ended during a turn: exit code 3");
  ASSERT_NE(state(error, "exit_code"), nullptr);
  EXPECT_EQ(*state(error, "exit_code"), StateValue(std::int64_t{3}));
  EXPECT_EQ(*state(error, "stderr"), StateValue("no key\n"));
  EXPECT_EQ(state(error, "signal"), nullptr);
  EXPECT_FALSE(error.possible_causes.empty());
  EXPECT_FALSE(error.suggested_actions.empty());
  EXPECT_TRUE(error.recoverable);
}

TEST(AgentFailure, NamesTheSignal) {
  AgentExit exit;
  exit.signal = 9;
  exit.oom_killed = true;
  EXPECT_THAT(describe_exit(exit), HasSubstr("signal 9"));
  EXPECT_EQ(*state(agent_exited(exit, "idle time"), "oom_killed"), StateValue(true));
  EXPECT_EQ(describe_exit({}), "unknown cause");
}

TEST(AgentFailure, IsTheAgentsUnlessItWasAskedWrongly) {
  for (const char* own : {R"({"code":-32603,"message":"x"})", R"({ "message":"x", "code": 500 })",
                          R"({"message":"no code"})", "null"}) {
    EXPECT_TRUE(is_agents_failure(own)) << own;
  }
  for (const char* others : {R"({"code":-32602})", R"({"code":-32600})", R"({"code":-32601})",
                             R"({"code":-32000,"message":"log in"})", R"({"code": -32800 })"}) {
    EXPECT_FALSE(is_agents_failure(others)) << others;
  }
}

TEST(AgentFailure, IsAFailedStartForWantOfTheAgentOnly) {
  const auto refused = [](const char* error_json) {
    return agent_refused("session/new", error_json);
  };
  const auto silent =
      agent_timed_out({"initialize", std::chrono::milliseconds(250), Isolation::kProcess, "", ""});
  for (const Error& counted :
       {silent, agent_exited({}, "initialize"),
        make_error(ErrorType::kContainerResourceExceeded, "killed for memory"),
        refused(R"({"code":-32603,"message":"broken"})")}) {
    EXPECT_TRUE(is_failed_start(counted)) << counted.explanation;
  }
  for (const Error& normal : {refused(R"({"code":-32000,"message":"log in"})"),
                              refused(R"({"code":-32602,"message":"no such directory"})"),
                              make_error(ErrorType::kSessionClosed, "closed by a client"),
                              make_error(ErrorType::kShuttingDown, "the relay ends")}) {
    EXPECT_FALSE(is_failed_start(normal)) << normal.explanation;
  }
}

TEST(AgentFailure, QuotesTheLastWholeLinesOfStderr) {
  AgentExit exit;
  exit.stderr_tail = "first\n" + std::string(5000, 'x') + "\nlast\n";
  const Error error = agent_exited(exit, "initialize");
  EXPECT_EQ(*state(error, "stderr"), StateValue("last\n"));
}

TEST(AgentFailure, SaysWhatToRaiseWhenTheAgentIsSlow) {
  const Error error =
      agent_timed_out({"initialize", std::chrono::milliseconds(250), Isolation::kProcess, "", ""});
  EXPECT_EQ(error.type, ErrorType::kAgentConnectionTimeout);
  EXPECT_THAT(error.explanation, HasSubstr("250 ms"));
  EXPECT_THAT(error.suggested_actions.at(0), HasSubstr("agent.startup_timeout_seconds"));
}

TEST(AgentFailure, CarriesTheAgentsOwnError) {
  const Error error =
      agent_refused("session/new", R"({"code":-32000,"message":"log in","data":{"x":1}})");
  EXPECT_EQ(error.explanation, "the agent answered session/new with an error: log in");
  EXPECT_EQ(*state(error, "agent_error_code"), StateValue(std::int64_t{-32000}));
  EXPECT_THAT(error.details, HasSubstr(R"("x":1)"));
  for (const char* odd : {"null", "{}", R"({"code":"x","message":7})", "[]"}) {
    EXPECT_THAT(agent_refused("m", odd).explanation, Not(HasSubstr(":"))) << odd;
  }
}

}  // namespace
}  // namespace relay
