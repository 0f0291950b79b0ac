#include "config/reload.hpp"

#include "config/keys.hpp"
#include "config/load.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

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

TEST(Reload, NamesFurtherAgentsThatComeOrGo) {
  Config running, loaded;
  running.agents.resize(2);
  running.agents[0].name = "gone";
  running.agents[1].name = "other";
  loaded.agents.resize(2);
  loaded.agents[0].name = "other";
  loaded.agents[0].container.image = "another";
  loaded.agents[1].name = "fresh";
  const Reload reload = plan_reload(running, loaded);
  EXPECT_EQ(reload.changed, Strings{"agents.other.image"});
  EXPECT_EQ(reload.need_restart, (Strings{"agents.gone", "agents.fresh"}));
  ASSERT_EQ(reload.config.agents.size(), 2u) << "in the order of those that run";
  EXPECT_EQ(reload.config.agents[0], running.agents[0]);
  EXPECT_EQ(reload.config.agents[1], loaded.agents[0]);
}

TEST(Reload, TakesWhatTheNextStartOfAnAgentIsMadeOf) {
  struct Case {
    std::function<void(Config&)> change;
    Strings changed;
    Strings need_restart;
  };
  for (const Case& one : {
           Case{[](Config& c) { c.container.image = "b"; }, {"container.image"}, {}},
           Case{[](Config& c) { c.container.memory_limit = 1; }, {"container.memory_limit"}, {}},
           Case{[](Config& c) { c.container.network_mode = "n"; }, {"container.network_mode"}, {}},
           Case{[](Config& c) { c.container.extra_volumes = {"/a:/b"}; },
                {"container.extra_volumes"},
                {}},
           Case{[](Config& c) { c.agent.command = "b"; }, {"agent.command"}, {}},
           Case{[](Config& c) {
                  c.agent.env = {{"A", "b"}};
                },
                {"agent.env"},
                {}},
           Case{[](Config& c) { c.sessions.on_shutdown = OnShutdown::kDetach; },
                {"sessions.on_shutdown"},
                {}},
           Case{[](Config& c) { c.readiness.canary_interval = Milliseconds(1); },
                {"readiness.canary_interval"},
                {}},
           Case{[](Config& c) { c.database.retention_days = 1; }, {"database.retention_days"}, {}},
           Case{[](Config& c) { c.database.audit_rows = 1; }, {"database.audit_rows"}, {}},
           Case{[](Config& c) { c.auth.mode = AuthMode::kNone; }, {"auth.mode"}, {}},
           Case{[](Config& c) { c.database.max_pending_bytes *= 2; },
                {},
                {"database.max_pending_bytes"}},
           Case{[](Config& c) { c.container.enabled = true; }, {}, {"container.enabled"}},
           Case{[](Config& c) { c.container.home = HomeMode::kTmpfs; }, {}, {"container.home"}},
           Case{[](Config& c) { c.container.docker_host = "b"; }, {}, {"container.docker_host"}},
           Case{[](Config& c) { c.container.workspace_base_dir = "/b"; },
                {},
                {"container.workspace_base_dir"}},
           Case{[](Config& c) { c.sessions.shared = true; }, {}, {"sessions.shared"}},
       }) {
    Config loaded;
    one.change(loaded);
    const Reload reload = plan_reload(Config{}, loaded);
    EXPECT_EQ(reload.changed, one.changed);
    EXPECT_EQ(reload.need_restart, one.need_restart);
    EXPECT_EQ(reload.config, one.changed.empty() ? Config{} : loaded);
  }
}

// A preset has a program for a process and an image for a container.
TEST(Reload, LeavesTheProgramOfAnAgentThatIsToRunElsewhere) {
  const std::string rest =
      "}\nagent: {preset: codex}\n"
      "egress: {upstreams: {openai: {credential: {value: x}}}}\n";
  const auto load = [&](const std::string& contained, const std::string& more) {
    const LoadResult loaded =
        load_text("container: {enabled: " + contained + rest + more, "c.yaml", {});
    EXPECT_TRUE(loaded.ok());
    return loaded.config;
  };
  for (const char* running : {"true", "false"}) {
    const char* const wanted = running == std::string("true") ? "false" : "true";
    const Config before = load(running, "");
    const Reload reload = plan_reload(before, load(wanted, "log: {level: debug}\n"));
    EXPECT_EQ(reload.changed, Strings{"log.level"}) << running;
    Config expected = before;
    expected.log.level = LogLevel::kDebug;
    EXPECT_EQ(reload.config, expected) << running;
  }
}

NamedAgentConfig named(const Config& config, AgentIsolation isolation) {
  NamedAgentConfig agent{"other", isolation, config.agent, config.container};
  agent.container.enabled = isolation == AgentIsolation::kContainer;
  return agent;
}

TEST(Reload, NamesWhatAFurtherAgentInheritsOnlyOnce) {
  Config running, loaded;
  loaded.container.memory_limit = 1;
  loaded.container.home = HomeMode::kTmpfs;
  running.agents.push_back(named(running, AgentIsolation::kContainer));
  loaded.agents.push_back(named(loaded, AgentIsolation::kContainer));
  loaded.agents[0].container.pids_limit = 7;
  const Reload reload = plan_reload(running, loaded);
  EXPECT_EQ(reload.changed, (Strings{"container.memory_limit", "agents.other.pids_limit"}));
  EXPECT_EQ(reload.need_restart, Strings{"container.home"});
  NamedAgentConfig expected = loaded.agents[0];
  expected.container.home = running.container.home;
  EXPECT_EQ(reload.config.agents[0], expected);
}

TEST(Reload, NamesWhatAFurtherAgentInheritsWhereOneOfThemWaitsForTheRestart) {
  for (const bool default_waits : {true, false}) {
    Config running, loaded;
    running.agents.push_back(named(running, AgentIsolation::kContainer));
    loaded.container.memory_limit = 1;
    loaded.agents.push_back(named(loaded, AgentIsolation::kContainer));
    (default_waits ? loaded.agent : loaded.agents[0].agent).upstreams = {"a"};
    const Reload reload = plan_reload(running, loaded);
    const Strings of_default = {"agent.upstreams", "container.memory_limit"};
    const Strings of_other = {"agents.other.upstreams", "agents.other.memory_limit"};
    EXPECT_EQ(reload.need_restart, default_waits ? of_default : of_other);
    EXPECT_EQ(reload.changed,
              Strings{default_waits ? "agents.other.memory_limit" : "container.memory_limit"});
  }
}

TEST(Reload, LeavesAnAgentThatRunsElsewhereFromNowOnAsItIs) {
  Config running, loaded;
  running.agents.push_back(named(running, AgentIsolation::kProcess));
  loaded.agents.push_back(named(loaded, AgentIsolation::kContainer));
  loaded.agents[0].container.image = "b";
  const Reload reload = plan_reload(running, loaded);
  EXPECT_TRUE(reload.changed.empty());
  EXPECT_EQ(reload.need_restart, Strings{"agents.other.isolation"});
  EXPECT_EQ(reload.config, running);
}

TEST(Reload, NamesAKeyOfAFurtherAgentAsTheFileDoes) {
  Config running, loaded;
  running.agents.push_back(named(running, AgentIsolation::kContainer));
  loaded.agents.push_back(named(loaded, AgentIsolation::kContainer));
  loaded.agents[0].container.command = {"b"};
  loaded.agents[0].container.startup_timeout = Milliseconds(1);
  loaded.agents[0].agent.startup_timeout = Milliseconds(1);
  const Reload reload = plan_reload(running, loaded);
  EXPECT_EQ(reload.changed, (Strings{"agents.other.startup_timeout", "agents.other.command"}));
  EXPECT_EQ(reload.config.agents, loaded.agents);
}

// An argument with a secret would be shown by GET /api/config.
TEST(Reload, KeepsTheSecretsOfBothFiles) {
  Config running, loaded;
  running.expanded_secrets = {"one", "two"};
  loaded.expanded_secrets = {"two", "three"};
  EXPECT_EQ(plan_reload(running, loaded).config.expanded_secrets, (Strings{"one", "two", "three"}));
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
