// Upstreams: what they take over from presets, what is refused, and how they are printed.
#include "config/load.hpp"
#include "config/mount_danger.hpp"
#include "config/print.hpp"
#include "config/testing/described.hpp"
#include "config/upstream_presets.hpp"
#include "config/validate.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace relay::config {
namespace {

using ::testing::Contains;
using testing::described;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

// `text` stands below egress.upstreams.
LoadResult load_upstreams(const std::string& text, const Environment& environment = {}) {
  return load_text("egress: {upstreams: {" + text + "}}", "c.yaml", environment);
}

std::vector<UpstreamConfig> upstreams_in(const std::string& text,
                                         const Environment& environment = {}) {
  const LoadResult result = load_upstreams(text, environment);
  EXPECT_THAT(described(result.problems), IsEmpty()) << text;
  return result.config.egress.upstreams;
}

TEST(Upstreams, AreNoneUnlessNamed) {
  for (const char* text : {"", "egress:", "egress: {upstreams: }", "egress: {upstreams: {}}"}) {
    const LoadResult result = load_text(text, "c.yaml", {});
    EXPECT_TRUE(result.ok()) << text;
    EXPECT_EQ(result.config.egress, EgressConfig{}) << text;
  }
}

TEST(Upstreams, AreReadWithAllTheyHave) {
  const auto all = upstreams_in(R"(own: {
    url: "https://llm.example.com/v1",
    ca_file: /dev/null,
    credential: {header: x-own-key, prefix: "Bearer ", file: /run/secrets/own, refresh: 90s},
    allow: [{methods: [POST, GET], path: /v1/chat/**}, {path: /v1/models}],
    budget: {requests: 1000, bytes: 1G, tokens: 2000000}},
  other: {url: "http://127.0.0.1:1", credential: {query: key, command: [pass, show]}})");
  ASSERT_EQ(all.size(), 2u);
  UpstreamConfig own;
  own.name = "own";
  own.url = "https://llm.example.com/v1";
  own.ca_file = "/dev/null";
  own.credential.header = "x-own-key";
  own.credential.prefix = "Bearer ";
  own.credential.file = "/run/secrets/own";
  own.credential.refresh = Milliseconds(90'000);
  own.allow = {{{"POST", "GET"}, "/v1/chat/**"}, {{}, "/v1/models"}};
  own.budget = {1000, 1u << 30, 2'000'000};
  EXPECT_EQ(all[0], own);
  EXPECT_EQ(all[1].credential.query, "key");
  EXPECT_THAT(all[1].credential.command, ElementsAre("pass", "show"));
  EXPECT_THAT(all[1].allow, IsEmpty());
}

TEST(Upstreams, TakeOverWhatTheyDoNotSayOfTheirPreset) {
  const auto all = upstreams_in(R"(
    anthropic: {credential: {value: "${KEY}"}},
    ollama: ,
    mine: {preset: openai, url: "https://gateway.example.com", credential: {file: /k},
           allow: [{path: /**}]},
    gemini: {credential: {query: key, value: gemini-key}},
    openrouter: {credential: {prefix: "Token ", value: openrouter-key}, allow: []},
    second: {preset: anthropic, credential: none})",
                                {{"KEY", "key-of-anthropic"}});
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[0].url, "https://api.anthropic.com");
  EXPECT_EQ(all[0].preset, "anthropic");
  EXPECT_EQ(all[0].credential.header, "x-api-key");
  EXPECT_EQ(all[0].credential.prefix, "");
  EXPECT_EQ(all[0].credential.value, "key-of-anthropic");
  EXPECT_EQ(all[0].allow, find_upstream_preset("anthropic")->allow);
  EXPECT_EQ(all[1].url, "http://127.0.0.1:11434");
  EXPECT_FALSE(all[1].credential.enabled());
  EXPECT_EQ(all[2].url, "https://gateway.example.com");
  EXPECT_EQ(all[2].credential.header, "Authorization");
  EXPECT_EQ(all[2].credential.prefix, "Bearer ");
  EXPECT_EQ(all[2].allow, (std::vector<AllowConfig>{{{}, "/**"}}));
  EXPECT_EQ(all[3].credential.query, "key");
  EXPECT_EQ(all[3].credential.header, "");
  EXPECT_EQ(all[4].credential.header, "Authorization");
  EXPECT_EQ(all[4].credential.prefix, "Token ");
  EXPECT_THAT(all[4].allow, IsEmpty());
  EXPECT_FALSE(all[5].credential.enabled());
  EXPECT_EQ(all[5].allow, all[0].allow);
}

TEST(UpstreamPresets, AreRightByTheRulesOfUpstreams) {
  for (const UpstreamConfig& preset : upstream_presets()) {
    Config config;
    config.egress.upstreams = {preset};
    config.egress.upstreams[0].credential.value = preset.credential.header.empty() ? "" : "secret";
    std::vector<Finding> findings;
    validate_egress(config, findings);
    EXPECT_EQ(findings.size(), 0u) << preset.name;
    EXPECT_FALSE(preset.allow.empty()) << preset.name;
    for (const AllowConfig& rule : preset.allow) {
      EXPECT_EQ(rule.methods.size(), 1u) << rule.path;
      EXPECT_NE(rule.path, "/**") << preset.name;
    }
  }
  EXPECT_EQ(find_upstream_preset("acme"), nullptr);
}

struct RefusedUpstream {
  std::string text;
  std::string expected;  // part of the only problem; empty: the text is right
};

void expect_only_problem(const std::vector<RefusedUpstream>& rows) {
  for (const RefusedUpstream& row : rows) {
    const auto problems = described(load_upstreams(row.text).problems);
    if (row.expected.empty()) {
      EXPECT_THAT(problems, IsEmpty()) << row.text;
    } else {
      EXPECT_THAT(problems, ElementsAre(HasSubstr(row.expected))) << row.text;
    }
  }
}

TEST(Upstreams, AreRefusedInTheWrongForm) {
  expect_only_problem({
      {"Own: {url: 'https://h'}", "upstreams.Own: not a name of an upstream; use small letters"},
      {"'a b': {url: 'https://h'}", "not a name of an upstream"},
      {"own: [x]", "c.yaml:1:27: egress.upstreams.own: expected a map; write {url"},
      {"own: {uri: 'https://h', url: 'https://h'}",
       "egress.upstreams.own.uri: unknown key; did you mean url?"},
      {"own: {url: [x]}", "own.url: expected text, found a list"},
      {"own: {preset: antropic, url: 'https://h'}",
       "own.preset: \"antropic\" is not a preset; did you mean anthropic?"},
      {"own: {preset: '', url: 'https://h'}", ""},
      {"anthropic: {preset: '', url: 'https://h'}", ""},
      {"own: {url: 'https://h', allow: {path: /x}}", "own.allow: expected a list of rules"},
      {"own: {url: 'https://h', allow: [/x]}", "own.allow[0]: expected a map; write {methods"},
      {"own: {url: 'https://h', allow: [{pth: /x}]}",
       "own.allow[0].pth: unknown key; did you mean path?"},
      {"own: {url: 'https://h', allow: [{methods: GET}]}",
       "own.allow[0].methods: expected a list, found a single value"},
      {"own: {url: 'https://h', budget: 7}", "own.budget: expected a map; write {requests"},
      {"own: {url: 'https://h', budget: {bytes: lots}}",
       "own.budget.bytes: \"lots\" is not a size"},
      {"own: {url: 'https://h', budget: {dollars: 1}}",
       "own.budget.dollars: unknown key; the keys are requests, bytes, tokens"},
  });
  const auto list = described(load_text("egress: {upstreams: [a]}", "c.yaml", {}).problems);
  EXPECT_THAT(list, ElementsAre(HasSubstr("egress.upstreams: expected a map of upstreams")));
  std::string many;
  for (std::size_t i = 0; i <= kMaxUpstreams; ++i)
    many += "a" + std::to_string(i) + ": {preset: ollama}, ";
  expect_only_problem({{many, "egress.upstreams: more than 32 upstreams"}});
}

TEST(Upstreams, AreRefusedWithoutOneCredential) {
  const std::string own = "own: {url: 'https://h', credential: ";
  expect_only_problem({
      {"anthropic: ", "egress.upstreams.anthropic: the preset anthropic needs a credential; write"},
      {own + "none}", ""},
      {own + "{header: k, value: secret}}", ""},
      {own + "{value: secret}}", "own.credential: neither header nor query"},
      {own + "{header: k, query: q, value: secret}}", "own.credential: both header and query"},
      {own + "{header: k}}", "own.credential: says nothing of where it is; give one of value"},
      {own + "{header: k, value: secret, file: /x}}", "own.credential: more than one of"},
      {own + "{header: k, value: ''}}", "own.credential.value: empty; give one of"},
      {own + "{header: k, value: '${MY_KEY}'}}",
       "own.credential.value: the variable MY_KEY is not set or empty, so there is none; set "
       "MY_KEY"},
      {own + "{header: k, command: ['']}}", "own.credential.command[0]: empty"},
      {own + "{header: 'a b', value: secret}}", "own.credential.header: not the name of a header"},
      {own + "{header: Host, value: secret}}", "own.credential.header: this header is"},
      {own + "{query: 'a&b', value: secret}}", "own.credential.query: not the name of a parameter"},
      {own + "{header: k, prefix: \"a\\r\\nb\", value: secret}}", "own.credential.prefix"},
      {own + "{header: k, value: \"secret\\n\"}}", "own.credential.value: a credential has no"},
      {own + "{header: k, file: /x, refresh: 10ms}}", "own.credential.refresh: \"10ms\" is too"},
      {own + "{header: k, file: ~/key}}", "own.credential.file: the path is not expanded"},
  });
  const auto unset = load_upstreams(own + "{header: k, value: '${MY_KEY}'}}", {{"MY_KEY", ""}});
  EXPECT_THAT(described(unset.problems), ElementsAre(HasSubstr("the variable MY_KEY is not set")));
}

TEST(Upstreams, AreCheckedWhereTheyLead) {
  expect_only_problem({
      {"own: {}", "egress.upstreams.own.url: not the address of an upstream: it is missing"},
      {"own: {url: 'https://u:p@h'}", "own.url: not the address of an upstream: it has a user"},
      {"own: {url: 'http://h'}", ""},
      {"own: {url: 'http://[::1]:1', credential: {header: k, value: secret}}", ""},
      {"own: {url: 'http://h', credential: {header: k, value: secret}}",
       "own.url: unsafe: the credential goes over the network in the clear; write https, or set "
       "egress.upstreams.own.allow_unsafe: true"},
      {"own: {url: 'http://h', allow_unsafe: true, credential: {header: k, value: secret}}", ""},
      {"own: {url: 'https://h', ca_file: /none.pem}",
       "own.ca_file: /none.pem can't be read: No such file or directory; give a PEM file"},
      {"own: {url: 'https://h', allow: [{path: v1}]}",
       "own.allow[0].path: not a pattern of paths: it does not begin with a slash"},
      {"own: {url: 'https://h', allow: [{methods: [GET, post]}]}",
       "own.allow[0].methods[1]: not a method; write it in capitals"},
  });
}

TEST(Upstreams, AreWarnedOfWhatIsHardlyMeant) {
  const std::pair<const char*, const char*> kTable[] = {
      {"own: {url: 'http://h', allow_unsafe: true, credential: {header: k, value: secret}}",
       "own.url: the credential goes over the network in the clear; accepted because of "
       "egress.upstreams.own.allow_unsafe"},
      {"own: {url: 'http://h', ca_file: /dev/null}", "own.ca_file: has no effect"},
      {"own: {url: 'https://h', credential: {header: k, value: abc}}", "shorter than 6"},
      {"own: {url: 'https://h', credential: {header: k, value: secret, refresh: 1m}}",
       "own.credential.refresh: has no effect"},
  };
  for (const auto& [text, expected] : kTable) {
    const LoadResult result = load_upstreams(text);
    EXPECT_TRUE(result.ok()) << text;
    EXPECT_THAT(described(result.warnings), ElementsAre(HasSubstr(expected))) << text;
  }
}

TEST(Upstreams, NeverRepeatACredential) {
  const std::string own = "own: {url: 'https://h', credential: ";
  for (const std::string& text :
       {own + "canary-secret}", own + "[canary-secret]}", own + "{canary-secret: }}",
        own + "{header: k, value: [canary-secret]}}", own + "{header: k, canary-secret: x}}",
        own + "{header: k, value: \"canary-secret\\n\"}}",
        own + "{header: k, value: canary-secret, file: x}}",
        std::string("own: {url: 'https://u:canary-secret@h'}")}) {
    const LoadResult result = load_upstreams(text);
    EXPECT_FALSE(result.ok()) << text;
    for (const std::string& problem : described(result.problems))
      EXPECT_THAT(problem, Not(HasSubstr("canary-"))) << text;
  }
}

constexpr const char* kWithCredentials = R"(
    anthropic: {credential: {value: "${CANARY}"}},
    own: {url: "https://${HOST_OF_LLM}", credential: {header: x-own-key, prefix: "Bearer ",
          value: canary-literal}},
    third: {url: "https://h", credential: {query: key, prefix: "a:${CANARY_PREFIX}",
            command: [vault, "${CANARY_ARG}"]}})";

LoadResult load_credentials() {
  return load_upstreams(kWithCredentials, {{"CANARY", "canary-variable"},
                                           {"CANARY_ARG", "canary-arg"},
                                           {"CANARY_PREFIX", "canary-prefix"},
                                           {"HOST_OF_LLM", "llm.example.com"}});
}

TEST(Upstreams, ArePrintedWithoutTheirSecretsOnly) {
  const LoadResult result = load_credentials();
  ASSERT_THAT(described(result.problems), IsEmpty());
  const std::string json = to_json(result.config);
  for (const std::string& text : {to_yaml(result.config), json})
    EXPECT_THAT(text, Not(HasSubstr("canary-"))) << text;
  const auto shown = boost::json::parse(json).at("egress").at("upstreams");
  const auto& own = shown.at("own").at("credential").as_object();
  EXPECT_EQ(own.at("header").as_string(), "x-own-key");
  EXPECT_EQ(own.at("prefix").as_string(), "Bearer ");
  EXPECT_EQ(own.at("value").as_string(), "***");
  EXPECT_EQ(shown.at("own").at("url").as_string(), "https://llm.example.com");
  EXPECT_EQ(shown.at("third").at("credential").at("command").at(0).as_string(), "vault");
  EXPECT_EQ(shown.at("third").at("credential").at("command").at(1).as_string(), "***");
  EXPECT_EQ(shown.at("third").at("credential").at("prefix").as_string(), "a:***");
  EXPECT_THAT(secrets(result.config), UnorderedElementsAre("canary-variable", "canary-literal",
                                                           "canary-arg", "canary-prefix"));
}

TEST(Upstreams, ArePrintedSoThatTheyReadBack) {
  const LoadResult first = load_text(R"(
agent: {command: a, upstreams: [ollama, own]}
container: {enabled: true}
egress:
  port: 1
  silence: 1500ms
  upstreams:
    ollama:
    anthropic: {credential: {file: /k}, allow: []}
    plain: {preset: openai, credential: none}
    own:
      url: http://h/base
      allow_unsafe: true
      ca_file: /dev/null
      credential: {header: k, command: [x, -y], refresh: 1h}
      allow: [{path: /x}, {methods: [GET], path: /y/**}]
      budget: {tokens: 2000000}
)",
                                     "c.yaml", {});
  ASSERT_THAT(described(first.problems), IsEmpty());
  const std::string text = to_yaml(first.config);
  const LoadResult second = load_text(text, "c.yaml", {});
  EXPECT_THAT(described(second.problems), IsEmpty()) << text;
  EXPECT_EQ(second.config, first.config) << text;
}

TEST(Upstreams, ComeFromTheEnvironmentAsAWhole) {
  const LoadResult result = load_text(
      "egress: {upstreams: {ollama: }}", "c.yaml",
      {{"ACP_RELAY_EGRESS_UPSTREAMS", "{anthropic: {credential: {value: key-from-environment}}}"},
       {"ACP_RELAY_AGENT_UPSTREAMS", "[anthropic]"},
       {"ACP_RELAY_CONTAINER_ENABLED", "true"}});
  EXPECT_THAT(described(result.problems), IsEmpty());
  ASSERT_EQ(result.config.egress.upstreams.size(), 1u);
  EXPECT_EQ(result.config.egress.upstreams[0].credential.value, "key-from-environment");
  EXPECT_THAT(result.config.agent.upstreams, ElementsAre("anthropic"));
}

constexpr const char* kTwo = "egress: {upstreams: {ollama: , other: {preset: ollama}}}\n";

TEST(UpstreamsOfAgents, AreThoseTheyName) {
  const LoadResult result = load_text(std::string(kTwo) + R"(
agent: {upstreams: [ollama]}
container: {enabled: true}
agents:
  same: {memory_limit: 1G}
  own: {image: "i:1"}
  more: {image: "i:1", upstreams: [other, ollama]}
)",
                                      "c.yaml", {});
  ASSERT_THAT(described(result.problems), IsEmpty());
  EXPECT_THAT(described(result.warnings), IsEmpty());
  const auto& agents = result.config.agents;
  EXPECT_THAT(agents[0].agent.upstreams, ElementsAre("ollama"));
  EXPECT_THAT(agents[1].agent.upstreams, IsEmpty()) << "another program is trusted with nothing";
  EXPECT_THAT(agents[2].agent.upstreams, ElementsAre("other", "ollama"));
}

TEST(UpstreamsOfAgents, AreChecked) {
  const std::pair<const char*, const char*> kProblems[] = {
      {"agent: {upstreams: [olama]}",
       "agent.upstreams[0]: names no upstream of egress.upstreams; "
       "did you mean ollama?"},
      {"agent: {upstreams: [ollama, ollama]}", "agent.upstreams[1]: is there twice"},
      {"agents: {a: {image: i, upstreams: [zzzzzz]}}", "agents.a.upstreams[0]: names no upstream"},
      {"agent: {env: {BASE: '{upstream:ollama}/v1'}}",
       "agent.env.BASE: {upstream:ollama} is no upstream of the agent; name it in agent.upstreams"},
      {"agents: {a: {image: i, env: {KEY: '{upstream_key}'}}}",
       "agents.a.env.KEY: {upstream_key} without an upstream"},
  };
  for (const auto& [text, expected] : kProblems) {
    std::string whole = text;
    if (whole.find("egress") == std::string::npos)
      whole += "\n" + std::string(kTwo);
    else
      whole.replace(whole.find("{directory"), 1, "{upstreams: {ollama: }, ");
    EXPECT_THAT(described(load_text(whole, "c.yaml", {}).problems),
                ElementsAre(HasSubstr(expected)))
        << whole;
  }
  const std::pair<const char*, const char*> kWarnings[] = {
      {"agent: {upstreams: [ollama]}\ncontainer: {enabled: true, network_mode: bridge}",
       "container.network_mode: bridge lets the agent go round its upstreams"},
      {"agents: {a: {image: i, network_mode: my-net, upstreams: [ollama]}}",
       "agents.a.network_mode: my-net lets the agent go round"},
  };
  for (const auto& [text, expected] : kWarnings) {
    const LoadResult result = load_text(std::string(kTwo) + text, "c.yaml", {});
    EXPECT_THAT(described(result.problems), IsEmpty()) << text;
    EXPECT_THAT(described(result.warnings), ElementsAre(HasSubstr(expected))) << text;
  }
}

TEST(OwnPlaces, HaveTheFilesOfCredentials) {
  Config config;
  config.egress.upstreams.resize(1);
  config.egress.upstreams[0].name = "own";
  config.egress.upstreams[0].credential.file = "/secrets/own";
  const auto own = own_places(config);
  EXPECT_THAT(danger_of("/secrets", Access::kRead, own), HasSubstr("egress.upstreams.own"));
}

}  // namespace
}  // namespace relay::config
