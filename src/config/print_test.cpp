#include "config/print.hpp"

#include "config/load.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

TEST(Print, WritesYamlThatReadsBackAsTheSameConfiguration) {
  Config config;
  config.server.http_port = 1;
  config.server.tls = {"/a \"quoted\": #x.pem", "/b\\c\té.pem"};
  config.server.allowed_origins = {"https://a", "*"};
  config.auth.tokens = {{"ada", "", std::string(64, 'b'), Role::kOperator},
                        {"bob", "", std::string(64, 'c'), Role::kUser}};
  config.agent.command = "true";
  config.agent.args = {"", "- a", "{x}"};
  config.agent.startup_timeout = Milliseconds(1500);
  config.sessions.prompt_timeout = Milliseconds(61'000);
  config.sessions.shared = true;
  config.database.max_bytes = 1001;
  config.container.cpu_limit = 0.3;
  config.container.labels = {{"org.example/team", "a: b"}, {"yes", "no"}, {"12", "x"}};
  config.container.pull_policy = PullPolicy::kNever;
  const std::string text = to_yaml(config);
  const LoadResult result = load_text(text, "c.yaml", {});
  EXPECT_TRUE(result.ok()) << text << (result.ok() ? "" : describe(result.problems[0]));
  EXPECT_EQ(result.config, config) << text;
  EXPECT_EQ(to_yaml(result.config), text);
}

TEST(Print, WritesTheDefaultsSoThatTheyReadBack) {
  const LoadResult result = load_text(to_yaml(Config{}), "c.yaml", {});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config, Config{});
}

TEST(Print, WritesJsonWithNumbersFlagsAndUnits) {
  const auto json = boost::json::parse(to_json(Config{})).as_object();
  EXPECT_EQ(json.at("server").as_object().at("http_port").as_int64(), 8080);
  EXPECT_EQ(json.at("server").as_object().at("max_message_bytes").as_string(), "32M");
  EXPECT_EQ(json.at("server").as_object().at("tls").as_object().at("cert").as_string(), "");
  EXPECT_EQ(json.at("sessions").as_object().at("idle_timeout").as_string(), "30m");
  EXPECT_EQ(json.at("agent").as_object().at("startup_timeout_seconds").as_int64(), 10);
  EXPECT_FALSE(json.at("container").as_object().at("enabled").as_bool());
  EXPECT_DOUBLE_EQ(json.at("container").as_object().at("cpu_limit").as_double(), 1.0);
  EXPECT_EQ(json.at("container").as_object().at("log_opts").as_object().at("max-file").as_string(),
            "3");
  EXPECT_EQ(json.at("client_capabilities").as_string(), "strip");
}

constexpr const char* kWithEverySecret = R"(
auth:
  tokens:
    - {name: ada, token: "canary-token-literal"}
    - {name: eve, token: "${CANARY_TOKEN}"}
    - {name: bob, sha256: "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"}
agent:
  command: agent
  args: ["--key=${CANARY_ARG}", "--home=${HOME}", "--pin", "${CANARY_PIN}", "--again=canary-env-literal"]
  env: {KEY: canary-env-literal, OTHER_TOKEN: "x${CANARY_ENV}", SHORT: abc}
container:
  command: [agent, "${CANARY_ARG}"]
  log_opts: {splunk-token: "${CANARY_LOG}"}
  labels: {secret: "${CANARY_LABEL}"}
)";

LoadResult load_secrets() {
  return load_text(kWithEverySecret, "c.yaml",
                   {{"CANARY_TOKEN", "canary-token-variable"},
                    {"CANARY_ARG", "canary-arg"},
                    {"CANARY_PIN", "9514"},
                    {"CANARY_ENV", "canary-env-variable"},
                    {"CANARY_LOG", "canary-log"},
                    {"CANARY_LABEL", "canary-label"},
                    {"HOME", "/home/someone"}});
}

TEST(Print, HidesEverySecret) {
  const LoadResult loaded = load_secrets();
  ASSERT_TRUE(loaded.ok());
  for (const std::string& text : {to_yaml(loaded.config), to_json(loaded.config)}) {
    EXPECT_THAT(text, Not(HasSubstr("canary-")));
    EXPECT_THAT(text, Not(HasSubstr("9514")));
    EXPECT_THAT(text, Not(HasSubstr("abc")));
    EXPECT_THAT(text, HasSubstr("***"));
    EXPECT_THAT(text, HasSubstr("--key=***"));
    EXPECT_THAT(text, HasSubstr("--home=/home/someone"));
    EXPECT_THAT(text, HasSubstr(std::string(64, 'd')));
    EXPECT_THAT(text, HasSubstr("ada"));
    EXPECT_THAT(text, HasSubstr("OTHER"));
  }
}

TEST(Secrets, ListsWhatMustBeRedactedElsewhere) {
  EXPECT_THAT(secrets(load_secrets().config),
              UnorderedElementsAre("canary-token-literal", "canary-token-variable", "canary-arg",
                                   "canary-env-literal", "xcanary-env-variable", "canary-log",
                                   "canary-label"));
  EXPECT_THAT(secrets(Config{}), ::testing::IsEmpty());
}

}  // namespace
}  // namespace relay::config
