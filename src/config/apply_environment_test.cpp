#include "config/load.hpp"
#include "config/testing/described.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::config {
namespace {

using testing::described;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

LoadResult load_with(const Environment& environment, std::string_view text = "") {
  return load_text(text, "c.yaml", environment);
}

TEST(EnvironmentOverride, WinsOverTheFile) {
  const LoadResult result =
      load_with({{"ACP_RELAY_SERVER_HTTP_PORT", "9001"}}, "server: {http_port: 9000}");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config.server.http_port, 9001);
}

TEST(EnvironmentOverride, ReachesNestedTopLevelAndAliasedKeys) {
  const LoadResult result = load_with({{"ACP_RELAY_SERVER_TLS_CERT", "/c.pem"},
                                       {"ACP_RELAY_SERVER_TLS_KEY", "/k.pem"},
                                       {"ACP_RELAY_CLIENT_CAPABILITIES", "passthrough"},
                                       {"ACP_RELAY_AGENT_STARTUP_TIMEOUT", "4s"},
                                       {"ACP_RELAY_SESSIONS_IDLE_TIMEOUT_SECONDS", "5"}});
  EXPECT_THAT(described(result.problems), IsEmpty());
  EXPECT_EQ(result.config.server.tls, (TlsConfig{"/c.pem", "/k.pem"}));
  EXPECT_EQ(result.config.client_capabilities, ClientCapabilitiesMode::kPassthrough);
  EXPECT_EQ(result.config.agent.startup_timeout, Milliseconds(4000));
  EXPECT_EQ(result.config.sessions.idle_timeout, Milliseconds(5000));
}

TEST(EnvironmentOverride, TakesListsAndMapsAsFlowText) {
  const LoadResult result = load_with(
      {{"ACP_RELAY_AGENT_COMMAND", "agent"},
       {"ACP_RELAY_AGENT_ARGS", "[\"--a b\", c]"},
       {"ACP_RELAY_AGENT_ENV", "{KEY: value}"},
       {"ACP_RELAY_CONTAINER_SECURITY_OPT", ""},
       {"ACP_RELAY_AUTH_TOKENS", "[{name: ada, token: a-rather-long-token, role: operator}]"}});
  EXPECT_THAT(described(result.problems), IsEmpty());
  EXPECT_THAT(result.config.agent.args, ElementsAre("--a b", "c"));
  EXPECT_EQ(result.config.agent.env, (StringMap{{"KEY", "value"}}));
  EXPECT_THAT(result.config.container.security_opt, IsEmpty());
  ASSERT_EQ(result.config.auth.tokens.size(), 1u);
  EXPECT_EQ(result.config.auth.tokens[0].role, Role::kOperator);
}

TEST(EnvironmentOverride, TakesTextAsItIs) {
  const LoadResult result = load_with({{"ACP_RELAY_AGENT_COMMAND", "/opt/${X}: [agent]"}});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config.agent.command, "/opt/${X}: [agent]");
}

TEST(EnvironmentOverride, NamesTheVariableInProblems) {
  const LoadResult result = load_with({{"ACP_RELAY_SERVER_HTTP_PORT", "x"},
                                       {"ACP_RELAY_AGENT_ARGS", "--verbose"},
                                       {"ACP_RELAY_CONTAINER_LABELS", "{a: b"},
                                       {"ACP_RELAY_SERVER_HTTP_HOST", "\xff"},
                                       {"ACP_RELAY_CONTAINER_NETWORK_MODE", "host"}});
  EXPECT_THAT(described(result.problems),
              ::testing::UnorderedElementsAre(
                  HasSubstr("environment: ACP_RELAY_SERVER_HTTP_PORT: \"x\" is not a whole number"),
                  HasSubstr("environment: ACP_RELAY_AGENT_ARGS: expected a list"),
                  HasSubstr("environment: ACP_RELAY_CONTAINER_LABELS: a key must be a plain name"),
                  HasSubstr("environment: ACP_RELAY_SERVER_HTTP_HOST: a control character"),
                  HasSubstr("environment: ACP_RELAY_CONTAINER_NETWORK_MODE: unsafe: host gives")));
}

TEST(EnvironmentOverride, RefusesTwoVariablesForOneKey) {
  const LoadResult result = load_with({{"ACP_RELAY_AGENT_STARTUP_TIMEOUT", "4s"},
                                       {"ACP_RELAY_AGENT_STARTUP_TIMEOUT_SECONDS", "5"}});
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_THAT(describe(result.problems[0]),
              HasSubstr("the same key as ACP_RELAY_AGENT_STARTUP_TIMEOUT"));
}

TEST(EnvironmentOverride, WarnsOfVariablesThatLookLikeKeysAndAreNone) {
  const LoadResult result = load_with({{"ACP_RELAY_SERVER_HTTP_PRT", "1"},
                                       {"ACP_RELAY_SERVR_HTTP_PORT", "1"},
                                       {"ACP_RELAY_LOG_SOMETHING_ELSE", "1"},
                                       {"ACP_RELAY_XYZ", "1"},
                                       {"ACP_RELAY_TOKEN", "s3cret"},
                                       {"ACP_RELAY_URL", "ws://x"},
                                       {"ACP_RELAY_MANAGEMENT_URL", "http://x"},
                                       {"PATH", "/bin"}});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config, Config{});
  EXPECT_THAT(described(result.warnings),
              ElementsAre("environment: ACP_RELAY_LOG_SOMETHING_ELSE: names no key of the "
                          "configuration; remove it",
                          "environment: ACP_RELAY_SERVER_HTTP_PRT: names no key of the "
                          "configuration; did you mean ACP_RELAY_SERVER_HTTP_PORT?",
                          "environment: ACP_RELAY_SERVR_HTTP_PORT: names no key of the "
                          "configuration; did you mean ACP_RELAY_SERVER_HTTP_PORT?"));
}

}  // namespace
}  // namespace relay::config
