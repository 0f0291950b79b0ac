#include "cli/drain_view.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

boost::json::object drain_state(const char* text) { return boost::json::parse(text).as_object(); }

TEST(DrainView, SaysWhatIsLeft) {
  EXPECT_EQ(drain_progress(drain_state(R"({"sessions":1,"turns":1})")),
            "1 session open, 1 turn running");
  EXPECT_EQ(drain_progress(drain_state(R"({"sessions":3,"turns":2,"starting":1,"queuedPrompts":4,
                                           "permissionWaits":1})")),
            "3 sessions open, 2 turns running, 1 starting, 4 prompts queued, 1 permission waited "
            "for");
  EXPECT_EQ(drain_progress({}), "0 sessions open, 0 turns running");
}

TEST(DrainView, NamesSessionsThatEndAndSaysHowManyAreNotNamed) {
  EXPECT_EQ(drain_losses({}), "");
  EXPECT_EQ(drain_losses(drain_state(R"({"endingSessions":1,"ending":["sess_a"]})")),
            "1 session ends with the relay: sess_a");
  EXPECT_EQ(
      drain_losses(drain_state(R"({"endingSessions":5,"ending":["sess_a","sess_\u001b",7]})")),
      "5 sessions end with the relay: sess_a sess_? and 3 more");
}

TEST(DrainView, KnowsTheNextRelayByItsPidOrByThatItMakesSessions) {
  const auto stopping = drain_state(R"({"draining":true,"pid":7})");
  EXPECT_FALSE(is_another_relay(stopping, stopping));
  EXPECT_TRUE(is_another_relay(drain_state(R"({"draining":true,"pid":8})"), stopping));
  EXPECT_TRUE(is_another_relay(drain_state(R"({"draining":false,"pid":7})"), stopping));
}

}  // namespace
}  // namespace relay::cli
