#include "session/end_cause.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(EndCause, TellsEndsThatNobodyAskedFor) {
  for (const char* const cause :
       {"agent_exited: exit code 3", "agent_protocol_error: the agent does not read its input",
        "container_resource_exceeded: memory", "docker_not_available: it is gone",
        "internal_error: a task of the session failed", "relay_restarted: its agent is gone"}) {
    EXPECT_TRUE(ended_by_itself(cause)) << cause;
  }
  for (const char* const cause :
       {"", "closed", "operator", "idle", "deleted", "relay_shutdown", "abandoned",
        "closed: agent_exited: exit code 3", "operator: relay_restarted: its agent is gone",
        "imported: agent_exited: exit code 3", "import_unfinished", "fork_unfinished"}) {
    EXPECT_FALSE(ended_by_itself(cause)) << cause;
  }
}

}  // namespace
}  // namespace relay
