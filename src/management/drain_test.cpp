#include "management/drain.hpp"

#include <gtest/gtest.h>

namespace relay::management {
namespace {

TEST(Drain, IsQuietWhenAStopWouldInterruptNothing) {
  DrainFacts facts;
  facts.sessions = 3;
  EXPECT_TRUE(is_quiet(facts));
  for (std::size_t DrainFacts::*const what :
       {&DrainFacts::starting, &DrainFacts::turns, &DrainFacts::queued_prompts}) {
    DrainFacts busy = facts;
    busy.*what = 1;
    EXPECT_FALSE(is_quiet(busy));
  }
}

TEST(Drain, ShowsWhatIsLeftAndNamesSoManySessions) {
  DrainFacts facts;
  facts.sessions = 2;
  facts.turns = 1;
  facts.ending = {"sess_a"};
  facts.shutdown_timeout = std::chrono::seconds(20);
  facts.pid = 7;
  EXPECT_EQ(drain_view(facts),
            R"({"draining":false,"quiet":false,"sessions":2,"starting":0,"turns":1,)"
            R"("queuedPrompts":0,"permissionWaits":0,"endingSessions":1,"ending":["sess_a"],)"
            R"("shutdownTimeoutMs":20000,"pid":7})");
  facts.ending.assign(kMaxNamedSessions + 1, "sess_b");
  const std::string view = drain_view(facts);
  EXPECT_NE(view.find(R"("endingSessions":101)"), std::string::npos);
  std::size_t named = 0;
  for (auto at = view.find("sess_b"); at != std::string::npos; at = view.find("sess_b", at + 1)) {
    ++named;
  }
  EXPECT_EQ(named, kMaxNamedSessions);
}

}  // namespace
}  // namespace relay::management
