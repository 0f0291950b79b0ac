// Presets of agents: what they set, what they need, and what has the last word.
#include "config/agent_presets.hpp"

#include "config/load.hpp"
#include "config/print.hpp"
#include "config/reload.hpp"
#include "config/testing/described.hpp"
#include "config/upstream_presets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace relay::config {
namespace {

using ::testing::Contains;
using testing::described;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kAnthropic =
    "egress: {upstreams: {anthropic: {credential: {value: sk-real-1234}}}}\n";

Config loaded(const std::string& text, const Environment& environment = {}) {
  LoadResult result = load_text(text, "c.yaml", environment);
  EXPECT_THAT(described(result.problems), IsEmpty()) << text;
  return std::move(result.config);
}

NamedAgentConfig only_agent(const std::string& text) {
  Config config = loaded(text);
  EXPECT_EQ(config.agents.size(), 1u) << text;
  return config.agents.empty() ? NamedAgentConfig{} : config.agents.front();
}

std::vector<std::string> refusals_of(const std::string& text) {
  return described(load_text(text, "c.yaml", {}).problems);
}

std::string value_of(const StringMap& env, const std::string& name) {
  const auto found = std::ranges::find(env, name, &StringMap::value_type::first);
  return found != env.end() ? found->second : "(none)";
}

UpstreamConfig upstream(std::string name, std::string preset, std::string url) {
  UpstreamConfig made;
  made.name = std::move(name);
  made.preset = std::move(preset);
  made.url = std::move(url);
  return made;
}

AgentConfig agent_with(std::string preset, Strings upstreams) {
  AgentConfig agent;
  agent.preset = std::move(preset);
  agent.upstreams = std::move(upstreams);
  return agent;
}

TEST(AgentPresets, SpeakToPresetsOfUpstreamsThatExist) {
  for (const AgentPreset& preset : agent_presets()) {
    EXPECT_FALSE(preset.command.empty()) << preset.name;
    ASSERT_FALSE(preset.ways.empty()) << preset.name;
    for (const AgentPresetWay& way : preset.ways) {
      const UpstreamConfig* const known = find_upstream_preset(way.upstream);
      ASSERT_NE(known, nullptr) << way.upstream;
      const StringMap env = environment_with_preset(agent_with(preset.name, {"own"}),
                                                    {upstream("own", way.upstream, known->url)});
      std::string all;
      for (const auto& [name, value] : env) all += value + "\n";
      EXPECT_THAT(all, HasSubstr("{upstream:own}")) << preset.name;
      EXPECT_THAT(all, HasSubstr("{upstream_key}")) << preset.name;
      EXPECT_THAT(all, Not(HasSubstr("<"))) << preset.name;
    }
  }
  EXPECT_EQ(agent_preset_names(), "claude, codex, gemini, opencode, qwen");
}

TEST(AgentPresets, GiveABaseUrlWithAVersionWhereTheUpstreamHasNone) {
  struct Row {
    const char* url;
    const char* base;
  };
  for (const Row& row : {Row{"https://api.openai.com", "{upstream:own}/v1"},
                         Row{"https://openrouter.ai/api/", "{upstream:own}/v1"},
                         Row{"https://llm.example.com/v1", "{upstream:own}"},
                         Row{"https://llm.example.com/api/v4/", "{upstream:own}"},
                         Row{"https://v2.example.com", "{upstream:own}/v1"},
                         Row{"https://llm.example.com/vast", "{upstream:own}/v1"}}) {
    const StringMap env =
        environment_with_preset(agent_with("qwen", {"own"}), {upstream("own", "", row.url)});
    EXPECT_EQ(value_of(env, "OPENAI_BASE_URL"), row.base) << row.url;
  }
}

TEST(AgentPresets, LeaveTheLastWordToTheEnvironmentOfTheAgent) {
  AgentConfig agent = agent_with("qwen", {"openai"});
  agent.env = {{"OPENAI_MODEL", "mine"}, {"MORE", "x"}};
  const StringMap env =
      environment_with_preset(agent, {upstream("openai", "openai", "https://api.openai.com")});
  EXPECT_EQ(env, (StringMap{{"OPENAI_BASE_URL", "{upstream:openai}/v1"},
                            {"OPENAI_API_KEY", "{upstream_key}"},
                            {"OPENAI_MODEL", "mine"},
                            {"MORE", "x"}}));
  agent.preset.clear();
  EXPECT_EQ(environment_with_preset(agent, {}), agent.env);
}

TEST(AgentPresets, DifferByTheUpstream) {
  const auto content = [](const std::string& preset) {
    return value_of(environment_with_preset(agent_with("opencode", {"own"}),
                                            {upstream("own", preset, "https://h")}),
                    "OPENCODE_CONFIG_CONTENT");
  };
  EXPECT_THAT(content("openai"), HasSubstr(R"("enabled_providers":["openai"])"));
  EXPECT_THAT(content("anthropic"), HasSubstr(R"("baseURL":"{upstream:own}/v1")"));
  EXPECT_EQ(content("gemini"), "(none)");
}

TEST(AgentPresets, AreAllThatAnAgentNeedsBesideACredential) {
  const NamedAgentConfig agent =
      only_agent(std::string(kAnthropic) + "agents: {claude: {preset: claude}}");
  EXPECT_EQ(agent.isolation, AgentIsolation::kContainer);
  EXPECT_EQ(agent.container.image, "acp-agent:latest");
  EXPECT_EQ(agent.container.network_mode, "none");
  EXPECT_THAT(agent.agent.upstreams, ElementsAre("anthropic"));
  EXPECT_THAT(agent.agent.env, IsEmpty());
  EXPECT_TRUE(agent.container.readonly_rootfs);
  EXPECT_THAT(agent.container.drop_capabilities, ElementsAre("ALL"));
  EXPECT_THAT(agent.container.security_opt, Contains("no-new-privileges"));
  EXPECT_THAT(agent.container.tmpfs, ElementsAre("/tmp:exec,mode=1777", "/run", "/var/tmp"));
}

TEST(AgentPresets, StandForTheDefaultAgentToo) {
  const Config config =
      loaded(std::string(kAnthropic) + "agent: {preset: opencode}\ncontainer: {enabled: true}",
             {{"ACP_RELAY_CONTAINER_DROP_CAPABILITIES", "[NET_RAW]"}});
  EXPECT_THAT(config.agent.upstreams, ElementsAre("anthropic"));
  EXPECT_EQ(config.container.image, "acp-agent-opencode:latest");
  EXPECT_TRUE(config.container.readonly_rootfs);
  EXPECT_THAT(config.container.drop_capabilities, ElementsAre("NET_RAW"));
  EXPECT_EQ(loaded(to_yaml(config)).container, config.container);
  EXPECT_THAT(to_yaml(config), HasSubstr("preset: \"opencode\""));

  const Config process = loaded(std::string(kAnthropic) + "agent: {preset: claude}");
  EXPECT_EQ(process.agent.command, "claude-agent-acp");
  EXPECT_FALSE(process.container.readonly_rootfs);
}

TEST(AgentPresets, ComeWithoutTheProgramOfTheDefaultAgent) {
  const std::string standard =
      "agent: {env: {SECRET_KEY: of-the-first}}\n"
      "container: {enabled: true, image: first:1, command: [run], readonly_rootfs: false}\n";
  const NamedAgentConfig own =
      only_agent(kAnthropic + standard + "agents: {claude: {preset: claude}}");
  EXPECT_THAT(own.agent.env, IsEmpty());
  EXPECT_EQ(own.container.image, "acp-agent:latest");
  EXPECT_THAT(own.container.command, IsEmpty());
  EXPECT_FALSE(own.container.readonly_rootfs);  // that is said for all

  const NamedAgentConfig other =
      only_agent(kAnthropic + standard +
                 "agents: {claude: {preset: claude, command: [claude-agent-acp], "
                 "drop_capabilities: []}}");
  EXPECT_EQ(other.container.image, "first:1");
  EXPECT_THAT(other.container.command, ElementsAre("claude-agent-acp"));
  EXPECT_THAT(other.container.drop_capabilities, IsEmpty());

  const Config inherited =
      loaded(std::string(kAnthropic) +
             "agent: {preset: claude}\ncontainer: {enabled: true, image: mine:1}\n"
             "agents: {big: {memory_limit: 8G}, plain: {image: other:1}}");
  EXPECT_EQ(inherited.agents[0].agent.preset, "claude");
  EXPECT_EQ(inherited.agents[0].container.image, "mine:1");
  EXPECT_THAT(inherited.agents[0].agent.upstreams, ElementsAre("anthropic"));
  EXPECT_EQ(inherited.agents[1].agent.preset, "");
  EXPECT_THAT(inherited.agents[1].agent.upstreams, IsEmpty());
  EXPECT_FALSE(inherited.agents[1].container.readonly_rootfs);
}

TEST(AgentPresets, TakeTheFirstUpstreamThatTheySpeakTo) {
  const std::string upstreams =
      "egress: {upstreams: {own: {url: \"https://llm.example.com/v1\"}, ollama: , "
      "mine: {preset: openai, credential: {value: sk-real-1234}}}}\n";
  const auto of = [&upstreams](const std::string& agent) {
    return only_agent(upstreams + "agents: {a: {" + agent + "}}").agent.upstreams;
  };
  EXPECT_THAT(of("preset: qwen"), ElementsAre("mine"));
  EXPECT_THAT(of("preset: qwen, upstreams: [own, ollama]"), ElementsAre("own", "ollama"));
  EXPECT_THAT(of("preset: codex, upstreams: [ollama, mine]"), ElementsAre("ollama", "mine"));
}

TEST(AgentPresets, SayWhatTheyLack) {
  EXPECT_THAT(refusals_of("agents: {a: {preset: claude}}"),
              ElementsAre("c.yaml:1:22: agents.a.preset: egress.upstreams has no model for claude: "
                          "it speaks to anthropic; add egress: {upstreams: {anthropic: "
                          "{credential: {value: \"${ANTHROPIC_API_KEY}\"}}}}"));
  EXPECT_THAT(refusals_of(std::string(kAnthropic) + "agents: {a: {preset: codex, upstreams: "
                                                    "[anthropic]}}"),
              ElementsAre(HasSubstr("none of agents.a.upstreams is a model for codex: it speaks to "
                                    "openai; name one of these there")));
  EXPECT_THAT(refusals_of(std::string(kAnthropic) + "agent: {preset: claude, args: [--safe]}"),
              ElementsAre(HasSubstr("agent.args: arguments without a command beside a preset")));
  EXPECT_THAT(refusals_of(std::string(kAnthropic) +
                          "agent: {preset: claude, command: claude-agent-acp, args: [--safe]}"),
              IsEmpty());
  EXPECT_THAT(refusals_of("agent: {preset: cladue}"),
              ElementsAre(HasSubstr("agent.preset: \"cladue\" is not a preset of agents; did you "
                                    "mean claude?")));
  EXPECT_THAT(refusals_of("agent: {preset: something}"),
              ElementsAre(HasSubstr("the presets are claude, codex, gemini, opencode, qwen")));
}

TEST(AgentPresets, WarnOfAKeyInTheContainer) {
  const auto warnings = [](const std::string& env) {
    return described(
        load_text(std::string(kAnthropic) + "agents: {a: {preset: claude, " + env + "}}", "c.yaml",
                  {})
            .warnings);
  };
  EXPECT_THAT(warnings("env: {ANTHROPIC_API_KEY: sk-real}"),
              ElementsAre(HasSubstr("agents.a.env.ANTHROPIC_API_KEY: goes into the container")));
  EXPECT_THAT(warnings("env: {ANTHROPIC_API_KEY: placeholder, ANTHROPIC_MODEL: x}"), IsEmpty());
  EXPECT_THAT(warnings("env: {ANTHROPIC_API_KEY: anything}, plain_env: [ANTHROPIC_API_KEY]"),
              IsEmpty());
}

TEST(AgentPresets, PutNoSecretIntoTheLog) {
  const Config config = loaded(std::string(kAnthropic) + "agents: {claude: {preset: claude}}");
  EXPECT_THAT(secrets(config), ElementsAre("sk-real-1234"));
}

TEST(Upstreams, HardenTheContainersOfThoseWhoUseThem) {
  const Config config = loaded(std::string(kAnthropic) +
                               "agent: {upstreams: [anthropic]}\ncontainer: {enabled: true}\n"
                               "agents: {soft: {readonly_rootfs: false}}");
  EXPECT_TRUE(config.container.readonly_rootfs);
  EXPECT_THAT(config.container.drop_capabilities, ElementsAre("ALL"));
  EXPECT_FALSE(config.agents[0].container.readonly_rootfs);
  EXPECT_THAT(config.agents[0].container.tmpfs, IsEmpty());
  EXPECT_THAT(config.agents[0].container.drop_capabilities, ElementsAre("ALL"));
  EXPECT_FALSE(loaded("container: {enabled: true}").container.readonly_rootfs);
}

TEST(Reload, OfHostsToConnectToWaitsForTheRestart) {
  const std::string enabled = "container: {enabled: true}\nagents: {a: {image: one:1}}\n";
  const Config running = loaded(enabled + "agent: {connect: [a.example, b.example]}");
  const Config next = loaded(enabled + "agent: {connect: [a.example], startup_timeout_seconds: 7}");
  const Reload reload = plan_reload(running, next);
  EXPECT_THAT(reload.need_restart, Contains("agent.connect"));
  EXPECT_EQ(reload.config.agent.connect, running.agent.connect);
}

TEST(Reload, OfAPresetWaitsForTheRestartWithAllThatItDecides) {
  const std::string enabled = std::string(kAnthropic) + "container: {enabled: true}\n";
  const Config running = loaded(enabled + "agents: {a: {image: one:1}}");
  const Config next =
      loaded(enabled + "agent: {preset: claude}\nagents: {a: {preset: claude, memory_limit: 8G}}");
  const Reload reload = plan_reload(running, next);
  EXPECT_THAT(reload.changed, IsEmpty());
  EXPECT_EQ(reload.config, running);
  EXPECT_THAT(reload.need_restart, Contains("agent.preset"));
  EXPECT_THAT(reload.need_restart, Contains("container.readonly_rootfs"));
  EXPECT_THAT(reload.need_restart, Contains("agents.a.image"));
}

}  // namespace
}  // namespace relay::config
