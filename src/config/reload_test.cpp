#include "config/reload.hpp"

#include "config/keys.hpp"

#include <gtest/gtest.h>

namespace relay::config {
namespace {

TEST(Reload, TakesWhatMayChangeAndLeavesTheRest) {
  const Config running;
  Config loaded;
  loaded.log.level = LogLevel::kDebug;
  loaded.auth.tokens.push_back({"ada", "ada-token-0123456789", "", Role::kUser});
  loaded.agent.max_concurrent_sessions = 7;
  loaded.server.http_port = 1;
  loaded.database.path = "/elsewhere";
  const Reload reload = plan_reload(running, loaded);
  EXPECT_EQ(reload.changed, (Strings{"auth.tokens", "agent.max_concurrent_sessions", "log.level"}));
  EXPECT_EQ(reload.need_restart, (Strings{"server.http_port", "database.path"}));
  Config expected = running;
  expected.log.level = LogLevel::kDebug;
  expected.auth.tokens = loaded.auth.tokens;
  expected.agent.max_concurrent_sessions = 7;
  EXPECT_EQ(reload.config, expected);
  EXPECT_EQ(describe(reload),
            "changed: auth.tokens, agent.max_concurrent_sessions, log.level; "
            "needs a restart: server.http_port, database.path");
}

// The inbox may be changed, the size of a message may not: together they would be wrong.
TEST(Reload, IsRefusedWhereThePartsDoNotFit) {
  Config loaded;
  loaded.server.max_message_bytes = 1 << 20;
  loaded.agent.max_inbox_bytes = 1 << 20;
  EXPECT_TRUE(plan_reload(loaded, loaded).problems.empty());
  const Reload reload = plan_reload(Config{}, loaded);
  ASSERT_EQ(reload.problems.size(), 1u);
  EXPECT_EQ(reload.problems[0].key, "agent.max_inbox_bytes");
}

TEST(Reload, OfTheSameChangesNothing) {
  const Reload reload = plan_reload(Config{}, Config{});
  EXPECT_EQ(reload.config, Config{});
  EXPECT_EQ(describe(reload), "nothing has changed");
}

TEST(Reload, NamesFurtherAgentsThatDiffer) {
  Config running, loaded;
  running.agents.resize(2);
  running.agents[0].name = "gone";
  running.agents[1].name = "other";
  loaded.agents.resize(2);
  loaded.agents[0].name = "other";
  loaded.agents[0].container.image = "another";
  loaded.agents[1].name = "fresh";
  const Reload reload = plan_reload(running, loaded);
  EXPECT_EQ(reload.need_restart, (Strings{"agents.gone", "agents.other", "agents.fresh"}));
  EXPECT_EQ(reload.config.agents, running.agents);
}

TEST(Reload, KnowsOfEveryKeyWhetherItDiffersAndHowToTakeIt) {
  for (const Key& key : all_keys()) {
    ASSERT_TRUE(key.is_same && key.copy) << key.path;
    Config copy;
    key.copy(Config{}, copy);
    EXPECT_TRUE(key.is_same(Config{}, copy)) << key.path;
  }
}

}  // namespace
}  // namespace relay::config
