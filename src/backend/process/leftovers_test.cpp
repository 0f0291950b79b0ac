#include "backend/process/leftovers.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace relay {
namespace {

using namespace std::string_view_literals;

TEST(Leftovers, KnowTheRunThatAProcessBelongsTo) {
  struct Row {
    std::string_view environment;
    RelayRun run;
  };
  const Row rows[] = {
      {""sv, {}},
      {"PATH=/bin\0ACP_AGENT_OF_RELAY=one/12/345\0"sv, {12, 345}},
      {"ACP_AGENT_OF_RELAY=one/12/345"sv, {12, 345}},
      {"ACP_AGENT_OF_RELAY=another/12/345\0"sv, {}},
      {"ACP_AGENT_OF_RELAY=one\0"sv, {}},
      {"ACP_AGENT_OF_RELAY=one/12\0"sv, {}},
      {"ACP_AGENT_OF_RELAY=one/x/345\0"sv, {}},
      {"ACP_AGENT_OF_RELAY=one/-1/345\0"sv, {}},
      {"ACP_AGENT_OF_RELAY=one/12/345x\0"sv, {}},
      {"OTHER=ACP_AGENT_OF_RELAY=one/12/345\0"sv, {}},
  };
  for (const Row& row : rows) EXPECT_EQ(run_of(row.environment, "one"), row.run) << row.environment;
}

TEST(Leftovers, BelongToARunThatIsOver) {
  const std::string mark = std::string(kAgentMark) + "=" + agent_mark("one");
  RelayRun run = run_of(mark, "one");
  EXPECT_EQ(run.pid, ::getpid());
  EXPECT_TRUE(is_alive(run));
  ++run.started;
  EXPECT_FALSE(is_alive(run)) << "another process got the pid";
}

}  // namespace
}  // namespace relay
