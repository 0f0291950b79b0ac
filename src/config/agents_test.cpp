// Further agents: what they inherit, what is refused, and how they are printed.
#include "config/agent_keys.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

LoadResult load_agents(const std::string& text, const Environment& environment = {}) {
  return load_text(text, "c.yaml", environment);
}

// The agents of a text that must be right.
std::vector<NamedAgentConfig> agents(const std::string& text, const Environment& environment = {}) {
  LoadResult result = load_agents(text, environment);
  for (const Problem& problem : result.problems) ADD_FAILURE() << describe(problem);
  return std::move(result.config.agents);
}

std::vector<std::string> problems(const std::string& text, const Environment& environment = {}) {
  std::vector<std::string> all;
  for (const Problem& problem : load_agents(text, environment).problems)
    all.push_back(describe(problem));
  return all;
}

std::vector<std::string> warnings(const std::string& text, const Environment& environment = {}) {
  std::vector<std::string> all;
  for (const Problem& problem : load_agents(text, environment).warnings)
    all.push_back(describe(problem));
  return all;
}

constexpr const char* kDefaults = R"(
agent: {command: first, args: [--acp], env: {KEY: secret-of-first}, client_env: [MODEL], stop_grace: 3s}
container: {image: first:1, command: [run], memory_limit: 1G, pids_limit: 99, startup_timeout: 45s}
)";

TEST(Agents, AreNoneUnlessNamed) {
  EXPECT_THAT(agents(""), IsEmpty());
  EXPECT_THAT(agents("agents:"), IsEmpty());
  EXPECT_THAT(agents("agents: {}"), IsEmpty());
}

TEST(Agents, InheritWhatTheyDoNotSay) {
  const auto all = agents(std::string(kDefaults) + "agents: {same: , big: {memory_limit: 8G}}");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "same");
  EXPECT_EQ(all[0].isolation, AgentIsolation::kProcess);
  EXPECT_EQ(all[0].agent.command, "first");
  EXPECT_THAT(all[0].agent.args, ElementsAre("--acp"));
  EXPECT_EQ(all[0].agent.env, (StringMap{{"KEY", "secret-of-first"}}));
  EXPECT_THAT(all[0].agent.client_env, ElementsAre("MODEL"));

  const auto contained =
      agents(std::string(kDefaults) +
             "agents: {big: {isolation: container, memory_limit: 8G, env: {A: b}}}");
  EXPECT_TRUE(contained[0].container.enabled);
  EXPECT_EQ(contained[0].container.image, "first:1");
  EXPECT_THAT(contained[0].container.command, ElementsAre("run"));
  EXPECT_EQ(contained[0].container.memory_limit, 8ull << 30);
  EXPECT_EQ(contained[0].container.pids_limit, 99);
  EXPECT_EQ(contained[0].container.startup_timeout, Milliseconds(45'000));
  EXPECT_EQ(contained[0].agent.env, (StringMap{{"A", "b"}}));
  EXPECT_EQ(contained[0].agent.stop_grace, Milliseconds(3000));
}

TEST(Agents, WithAProgramOfTheirOwnDoNotGetTheSecretsOfAnother) {
  const auto all = agents(std::string(kDefaults) + R"(
agents:
  process: {command: [second, -x], args: [-y]}
  text: {command: third, client_env: []}
  image: {image: second:1, pids_limit: 7}
  both: {image: "second:1", command: [a, b], args: [c]}
)");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].isolation, AgentIsolation::kProcess);
  EXPECT_EQ(all[0].agent.command, "second");
  EXPECT_THAT(all[0].agent.args, ElementsAre("-x", "-y"));
  EXPECT_THAT(all[0].agent.env, IsEmpty());
  EXPECT_THAT(all[0].agent.client_env, ElementsAre("MODEL"));
  EXPECT_EQ(all[1].agent.command, "third");
  EXPECT_THAT(all[1].agent.args, IsEmpty());
  EXPECT_THAT(all[1].agent.client_env, IsEmpty());
  EXPECT_EQ(all[2].isolation, AgentIsolation::kContainer);
  EXPECT_TRUE(all[2].container.enabled);
  EXPECT_THAT(all[2].container.command, IsEmpty()) << "the image's own";
  EXPECT_THAT(all[2].agent.env, IsEmpty());
  EXPECT_EQ(all[2].container.memory_limit, 1ull << 30);
  EXPECT_EQ(all[2].container.pids_limit, 7);
  EXPECT_THAT(all[3].container.command, ElementsAre("a", "b", "c"));
}

TEST(Agents, MayRunOtherwiseThanTheDefaultOne) {
  const auto all = agents(R"(
container: {enabled: true, image: "first:1"}
agents:
  contained: {command: [x]}
  outside: {isolation: process, command: y, startup_timeout: 7s}
)");
  EXPECT_EQ(all[0].isolation, AgentIsolation::kContainer);
  EXPECT_EQ(all[0].container.image, "first:1");
  EXPECT_THAT(all[0].container.command, ElementsAre("x"));
  EXPECT_EQ(all[1].isolation, AgentIsolation::kProcess);
  EXPECT_FALSE(all[1].container.enabled);
  EXPECT_EQ(all[1].agent.command, "y");
  EXPECT_EQ(all[1].agent.startup_timeout, Milliseconds(7000));
}

TEST(Agents, InheritWhatTheEnvironmentOverrode) {
  const auto all = agents("agents: {a: {image: i}}", {{"ACP_RELAY_CONTAINER_MEMORY_LIMIT", "3G"}});
  EXPECT_EQ(all[0].container.memory_limit, 3ull << 30);
}

TEST(Agents, AreOverriddenByTheEnvironment) {
  const Environment environment{{"ACP_RELAY_AGENTS_A_B_MEMORY_LIMIT", "3G"},
                                {"ACP_RELAY_AGENTS_A_B_COMMAND", "[x, y]"},
                                {"ACP_RELAY_AGENTS_A_B_STARTUP_TIMEOUT_SECONDS", "9"},
                                {"ACP_RELAY_AGENTS_A_B_ENV", "{K: v}"}};
  const auto all = agents("agents: {a-b: {image: i, memory_limit: 1G, command: z}}", environment);
  EXPECT_EQ(all[0].container.memory_limit, 3ull << 30);
  EXPECT_EQ(all[0].container.startup_timeout, Milliseconds(9000));
  EXPECT_THAT(all[0].container.command, ElementsAre("x", "y"));
  EXPECT_EQ(all[0].agent.env, (StringMap{{"K", "v"}}));

  const std::string file = "agents: {x: {image: i}, x_client: {image: i}}";
  EXPECT_THAT(problems(file, {{"ACP_RELAY_AGENTS_X_MEMORY_LIMIT", "lots"}}),
              ElementsAre(HasSubstr("environment: ACP_RELAY_AGENTS_X_MEMORY_LIMIT: \"lots\" is")));
  EXPECT_THAT(problems(file, {{"ACP_RELAY_AGENTS_X_CLIENT_ENV", "{}"}}),
              Contains(HasSubstr("names both agents.x.client_env and agents.x_client.env")));
  EXPECT_THAT(problems(file, {{"ACP_RELAY_AGENTS_X_PULL_TIMEOUT", "1s"},
                              {"ACP_RELAY_AGENTS_X_PULL_TIMEOUT_SECONDS", "1"}}),
              ElementsAre(HasSubstr("the same key as ACP_RELAY_AGENTS_X_PULL_TIMEOUT")));
  EXPECT_THAT(warnings(file, {{"ACP_RELAY_AGENTS_Y_IMAGE", "i"}, {"ACP_RELAY_AGENTS", "{}"}}),
              ElementsAre(HasSubstr("ACP_RELAY_AGENTS: names no key of a configured agent"),
                          HasSubstr("ACP_RELAY_AGENTS_Y_IMAGE: names no key")));
}

TEST(Agents, AreCheckedByTheRulesOfTheirKeys) {
  struct Row {
    std::string text;
    std::string expected;
  };
  const std::vector<Row> rows{
      {"agents: 7", "c.yaml:1:9: agents: expected a map of agents"},
      {"agents: {Claude: {image: i}}", "agents.Claude: not a name of an agent; use small letters"},
      {"agents: {'': {image: i}}", "not a name of an agent"},
      {"agents: {-a: {image: i}}", "not a name of an agent"},
      {"agents: {default: {image: i}}", "agents.default: the default agent is"},
      {"agents: {" + std::string(65, 'a') + ": {image: i}}", "not a name of an agent"},
      {"agents: {a-b: {}, a_b: {}}", "agents.a_b: differs from a-b only in - and _"},
      {"agents: {a: [x]}", "agents.a: expected an agent with keys of its own"},
      {"agents: {a: {memory_limt: 1G}}",
       "c.yaml:1:14: agents.a.memory_limt: unknown key; did you mean memory_limit?"},
      {"agents: {a: {max_concurrent_starts: 3}}", "set container.max_concurrent_starts"},
      {"agents: {a: {max_concurrent_sessions: 3}}", "set agent.max_concurrent_sessions"},
      {"agents: {a: {workspace_base_dir: /x}}", "set container.workspace_base_dir"},
      {"agents: {a: {container: {image: i}}}",
       "agents.a.container: unknown key; write the keys of container directly below"},
      {"agents: {a: {enabled: true}}", "set isolation: container"},
      {"agents: {a: {zzzzzzzz: true}}", "the keys here are isolation, image, command"},
      {"agents: {a: {isolation: vm}}", "agents.a.isolation: \"vm\" is not a choice"},
      {"agents: {a: {image: i, memory_limit: lots}}",
       "c.yaml:1:38: agents.a.memory_limit: \"lots\""},
      {"agents: {a: {image: i, memory_limit: 1M}}", "agents.a.memory_limit: less than 6M"},
      {"agents: {a: {image: i, network_mode: host}}",
       "set agents.a.allow_unsafe: true if you accept that"},
      {"agents: {a: {command: c, env: {'A B': 1}}}", "agents.a.env.A B: not a name"},
      {"agents: {a: {command: c, client_env: [1BAD]}}", "agents.a.client_env[0]: not a name"},
      {"agents: {a: {command: {x: y}}}", "agents.a.command: expected a list"},
      {"agents: {a: {image: i, command: ['']}}", "agents.a.command[0]: empty"},
      {"agents: {a: {args: [x]}}", "agents.a.args: arguments without a command"},
      {"agents: {a: {startup_timeout: 1s, startup_timeout_seconds: 1}}", "the same as"},
      {"agnets: {a: {image: i}}", "did you mean agents?"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(problems(row.text), ElementsAre(HasSubstr(row.expected))) << row.text;
  }
  std::string many = "agents: {";
  for (std::size_t i = 0; i <= kMaxAgents; ++i) many += "a" + std::to_string(i) + ": {}, ";
  EXPECT_THAT(problems(many + "}"), ElementsAre(HasSubstr("agents: more than 64 agents")));
}

TEST(Agents, AreWarnedOfWhatHasNoEffect) {
  EXPECT_THAT(warnings("agents: {a: {command: c, memory_limit: 1G}}"),
              ElementsAre(HasSubstr("agents.a.memory_limit: has no effect: this agent runs as a "
                                    "process; set agents.a.isolation: container")));
  EXPECT_THAT(warnings("agents: {a: {command: 'a b'}}"),
              ElementsAre(HasSubstr("agents.a.command: has a space in it")));
  EXPECT_THAT(warnings("agents: {a: {image: i, network_mode: host, allow_unsafe: true}}"),
              ElementsAre(HasSubstr("accepted because of agents.a.allow_unsafe")));
}

TEST(Agents, DoNotRepeatWhatIsSaidOfTheDefaultOne) {
  EXPECT_THAT(problems("container: {memory_limit: 1M}\nagents: {a: {image: i}, b: {image: i}}"),
              ElementsAre(HasSubstr("container.memory_limit: less than 6M")));
}

constexpr const char* kWithSecrets = R"(
agents:
  claude: {image: "i:1", env: {KEY: canary-literal, OTHER: "${CANARY}"}, command: [x, "${CANARY_ARG}"]}
  local: {command: y, args: ["--key=${CANARY_ARG}"], env: {LOCAL_KEY: canary-local}, memory_limit: 1G}
)";

LoadResult with_secrets() {
  return load_agents(kWithSecrets, {{"CANARY", "canary-env"}, {"CANARY_ARG", "canary-arg"}});
}

TEST(Agents, ArePrintedWithoutSecrets) {
  const LoadResult result = with_secrets();
  ASSERT_TRUE(result.ok());
  const std::string yaml = to_yaml(result.config);
  const std::string json = to_json(result.config);
  for (const std::string& text : {yaml, json}) EXPECT_THAT(text, Not(HasSubstr("canary-"))) << text;
  EXPECT_THAT(secrets(result.config), Contains("canary-literal"));
  EXPECT_THAT(secrets(result.config), Contains("canary-local"));
  EXPECT_THAT(secrets(result.config), Contains("canary-arg"));

  const auto shown = boost::json::parse(json).as_object().at("agents").as_object();
  const auto& claude = shown.at("claude").as_object();
  EXPECT_EQ(claude.at("isolation").as_string(), "container");
  EXPECT_EQ(claude.at("memory_limit").as_string(), "2G");
  EXPECT_EQ(claude.at("env").as_object().at("KEY").as_string(), "***");
  EXPECT_EQ(claude.at("command").as_array().at(1).as_string(), "***");
  const auto& local = shown.at("local").as_object();
  EXPECT_EQ(local.at("isolation").as_string(), "process");
  EXPECT_FALSE(local.contains("memory_limit"));
}

TEST(Agents, ArePrintedSoThatTheyReadBack) {
  const LoadResult first = load_agents(std::string(kDefaults) + R"(
agents:
  same: {}
  none: {command: []}
  process: {command: [second, -x], args: [-y], startup_timeout: 1500ms, max_stderr_bytes: 1K}
  contained: {image: "i:1", pids_limit: 3, home: tmpfs, startup_timeout: 90s}
  inherited: {isolation: container, stop_grace: 1s}
)");
  ASSERT_TRUE(first.ok());
  Config config = first.config;
  config.agent.env.clear();  // it is not printed
  for (NamedAgentConfig& agent : config.agents) agent.agent.env.clear();
  const std::string text = to_yaml(config);
  const LoadResult result = load_agents(text);
  EXPECT_TRUE(result.ok()) << text << (result.ok() ? "" : describe(result.problems[0]));
  EXPECT_EQ(result.config, config) << text;
}

TEST(AgentKeys, AreExplainedAndUnique) {
  std::set<std::string> seen;
  for (const AgentKey& key : agent_keys()) {
    for (const std::string& name : spellings(key)) {
      EXPECT_TRUE(seen.insert(name).second) << name;
      EXPECT_EQ(find_agent_key(name), &key);
    }
    EXPECT_FALSE(key.doc.empty() || key.type.empty() || key.inherited.empty()) << key.name;
  }
  // Every key of a container is one of its agent's or has a reason to be one for all.
  const std::set<std::string> for_all{
      "enabled",     "required",    "workspace_base_dir",   "selinux_label",
      "auto_remove", "docker_host", "max_concurrent_starts"};
  for (const Key& key : all_keys()) {
    if (!key.path.starts_with("container.")) continue;
    const std::string name = key.path.substr(key.path.find('.') + 1);
    EXPECT_NE(for_all.contains(name), find_agent_key(name) != nullptr) << name;
  }
}

}  // namespace
}  // namespace relay::config
