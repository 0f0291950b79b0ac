#include "session/agent_event.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

using metrics::ExitCause;

storage::SessionRecord a_session() {
  storage::SessionRecord session;
  session.id = SessionId("sess_1");
  session.agent = "claude";
  return session;
}

AgentExit with_code(int code) {
  AgentExit exit;
  exit.exit_code = code;
  return exit;
}

AgentExit with_signal(int signal, bool oom = false) {
  AgentExit exit;
  exit.signal = signal;
  exit.oom_killed = oom;
  return exit;
}

TEST(AgentEvent, TellsHowAnAgentEnded) {
  AgentExit late_oom = with_code(0);
  late_oom.oom_killed = true;
  const struct {
    AgentExit exit;
    ExitCause cause;
  } cases[] = {
      {with_code(0), ExitCause::kExited},      {with_code(3), ExitCause::kFailed},
      {with_signal(9), ExitCause::kSignalled}, {with_signal(9, true), ExitCause::kOutOfMemory},
      {late_oom, ExitCause::kOutOfMemory},     {AgentExit{}, ExitCause::kFailed},
  };
  for (const auto& row : cases) {
    const Error why = make_error(ErrorType::kAgentExited, "the agent ended");
    const metrics::AgentEvent event = end_of_agent(a_session(), row.exit, why);
    EXPECT_EQ(event.cause, row.cause);
    EXPECT_EQ(event.exit_code, row.exit.exit_code);
    EXPECT_EQ(event.signal, row.exit.signal);
    EXPECT_EQ(event.session, "sess_1");
    EXPECT_EQ(event.agent, "claude");
    EXPECT_EQ(event.text, "the agent ended");
    EXPECT_FALSE(event.goes_on);
    EXPECT_GT(event.time, WallTime{});
    EXPECT_EQ(exit_cause(row.exit, true), ExitCause::kStopped);
  }
}

TEST(AgentEvent, TakesTheCodeOfAFailedStartFromItsError) {
  Error why = make_error(ErrorType::kAgentStartFailed, "no such command");
  EXPECT_FALSE(start_that_failed(a_session(), why).exit_code);
  why.state.emplace_back("exit_code", std::int64_t{127});
  const metrics::AgentEvent event = start_that_failed(a_session(), why);
  EXPECT_EQ(event.cause, ExitCause::kNotStarted);
  EXPECT_EQ(event.exit_code, 127);
  EXPECT_FALSE(event.signal);
}

TEST(AgentEvent, KnowsAStartThatEndedForMemory) {
  const Error disk = make_error(ErrorType::kContainerResourceExceeded, "no space left");
  EXPECT_EQ(start_that_failed(a_session(), disk).cause, ExitCause::kNotStarted);
  const Error memory = make_error(ErrorType::kContainerResourceExceeded, "the agent was killed")
                           .with("oom_killed", true);
  EXPECT_EQ(start_that_failed(a_session(), memory).cause, ExitCause::kOutOfMemory);
}

TEST(AgentEvent, KnowsNoticesOfMemory) {
  const Error other = make_error(ErrorType::kInternalError, "output was lost");
  EXPECT_FALSE(killed_for_memory(a_session(), other));
  const Error memory = make_error(ErrorType::kContainerResourceExceeded, "a process was killed")
                           .with("oom_killed", true);
  const auto event = killed_for_memory(a_session(), memory);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->cause, ExitCause::kOutOfMemory);
  EXPECT_TRUE(event->goes_on);
}

}  // namespace
}  // namespace relay
