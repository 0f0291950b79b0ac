// The files that are shipped, the files of earlier users, and the documents made from the table of
// keys.
#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace relay::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string at_root(const std::string& path) { return std::string(RELAY_SOURCE_DIR) + "/" + path; }

std::string read(const std::string& path) {
  std::ifstream file(at_root(path));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Loads a file that must be right; `warnings` is how many it gives.
Config loaded(const std::string& path, std::size_t warnings, const Environment& environment = {}) {
  const LoadResult result = load(at_root(path), environment);
  for (const Problem& problem : result.problems) ADD_FAILURE() << describe(problem);
  EXPECT_EQ(result.warnings.size(), warnings) << path;
  EXPECT_EQ(result.config.file, at_root(path));
  Config config = result.config;
  config.file.clear();  // values are what matters
  return config;
}

TEST(EarlierFile, ConfigMeansWhatItSays) {
  const LoadResult result = load(at_root("tests/fixtures/config/earlier-config.yaml"), {});
  ASSERT_TRUE(result.ok()) << describe(result.problems[0]);
  const Config& config = result.config;
  EXPECT_EQ(config.server.http_port, 8080);
  EXPECT_EQ(config.server.http_host, "0.0.0.0");
  EXPECT_EQ(config.server.websocket_port, 8081);
  EXPECT_EQ(config.server.websocket_host, "0.0.0.0");
  EXPECT_EQ(config.server.management_port, 8082);
  EXPECT_EQ(config.server.management_host, "127.0.0.1");
  EXPECT_EQ(config.agent.command, "npx");
  EXPECT_THAT(config.agent.args, ElementsAre("@zed-industries/claude-code-acp"));
  EXPECT_EQ(config.agent.env, (StringMap{{"ANTHROPIC_API_KEY", ""}}));
  EXPECT_EQ(config.agent.startup_timeout, Milliseconds(10'000));
  EXPECT_EQ(config.agent.max_concurrent_sessions, 100u);
  ContainerConfig container;
  container.enabled = true;
  container.security_opt = {};
  EXPECT_EQ(config.container, container);
  EXPECT_EQ(config.database.path, "./relay-messages.db");
  ASSERT_EQ(result.warnings.size(), 3u);
  EXPECT_THAT(describe(result.warnings[0]), HasSubstr("agent.args: npx asks before it downloads"));
  EXPECT_THAT(describe(result.warnings[1]),
              HasSubstr("earlier-config.yaml:14:24: agent.env.ANTHROPIC_API_KEY: "
                        "the variable ANTHROPIC_API_KEY is not set"));
  EXPECT_THAT(describe(result.warnings[2]), HasSubstr("a token is needed and none is configured"));
}

TEST(EarlierFile, ConfigTakesItsVariable) {
  const Config config =
      loaded("tests/fixtures/config/earlier-config.yaml", 2, {{"ANTHROPIC_API_KEY", "sk-1"}});
  EXPECT_EQ(config.agent.env, (StringMap{{"ANTHROPIC_API_KEY", "sk-1"}}));
}

TEST(EarlierFile, DevelopmentMeansWhatItSays) {
  Config expected;
  expected.container.enabled = true;
  expected.container.image = "acp-agent:dev";
  expected.container.memory_limit = 512ull << 20;
  expected.container.cpu_limit = 0.5;
  expected.container.network_mode = "bridge";
  expected.container.workspace_base_dir = "/tmp/acp-dev";
  EXPECT_EQ(loaded("tests/fixtures/config/earlier-config.development.yaml", 0), expected);
}

TEST(EarlierFile, ProductionMeansWhatItSays) {
  Config expected;
  expected.container.enabled = true;
  expected.container.image = "acp-agent:v1.0.0";
  expected.container.memory_limit = 4ull << 30;
  expected.container.cpu_limit = 2.0;
  expected.container.readonly_rootfs = true;
  expected.container.drop_capabilities = {"ALL"};
  expected.container.security_opt = {"no-new-privileges", "seccomp=default"};
  EXPECT_EQ(loaded("tests/fixtures/config/earlier-config.production.yaml", 0), expected);
}

TEST(EarlierFile, DebugMeansWhatItSays) {
  Config expected;
  expected.container.enabled = true;
  expected.container.image = "acp-agent:debug";
  expected.container.log_opts = {{"max-size", "100m"}, {"max-file", "10"}};
  expected.container.auto_remove = false;
  expected.container.network_mode = "bridge";
  EXPECT_EQ(loaded("tests/fixtures/config/earlier-config.debug.yaml", 0), expected);
}

TEST(ShippedFile, FirstRunIsTheDefaults) { EXPECT_EQ(loaded("config.yaml", 0), Config{}); }

TEST(ShippedFile, DevelopmentUsesSmallContainers) {
  const Config config = loaded("config.development.yaml", 0);
  EXPECT_TRUE(config.container.enabled);
  EXPECT_EQ(config.container.image, "acp-agent:dev");
  EXPECT_EQ(config.container.memory_limit, 512ull << 20);
  EXPECT_EQ(config.container.network_mode, "bridge");
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
}

TEST(ShippedFile, ProductionNeedsTokensAndContainersAndHasAModel) {
  const Config config = loaded("config.production.yaml", 0,
                               {{"RELAY_TOKEN_SHA256", std::string(64, 'a')},
                                {"RELAY_OPERATOR_TOKEN_SHA256", std::string(64, 'b')},
                                {"ANTHROPIC_API_KEY", "sk-ant-1"}});
  EXPECT_EQ(config.auth.mode, AuthMode::kToken);
  ASSERT_EQ(config.auth.tokens.size(), 2u);
  EXPECT_EQ(config.auth.tokens[1].role, Role::kOperator);
  EXPECT_TRUE(config.server.tls.enabled());
  EXPECT_TRUE(config.container.enabled);
  EXPECT_TRUE(config.container.required);
  EXPECT_TRUE(config.container.readonly_rootfs);
  EXPECT_EQ(config.container.network_mode, "none");
  EXPECT_THAT(config.container.drop_capabilities, ElementsAre("ALL"));
  EXPECT_EQ(config.container.image, "acp-agent:v1.0.0");
  EXPECT_THAT(config.container.tmpfs, ElementsAre("/tmp:exec,mode=1777", "/run", "/var/tmp"));
  EXPECT_THAT(config.agent.upstreams, ElementsAre("anthropic"));
  ASSERT_EQ(config.egress.upstreams.size(), 1u);
  EXPECT_EQ(config.egress.upstreams[0].credential.value, "sk-ant-1");
}

TEST(ShippedFile, ProductionIsRefusedWithoutItsSecrets) {
  const LoadResult result = load(at_root("config.production.yaml"), {});
  EXPECT_EQ(result.problems.size(), 3u);
}

TEST(ShippedFile, DebugKeepsWhatASessionLeaves) {
  const Config config = loaded("config.debug.yaml", 0);
  EXPECT_TRUE(config.container.enabled);
  EXPECT_FALSE(config.container.auto_remove);
  EXPECT_EQ(config.container.image, "acp-agent:debug");
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
}

bool updating() { return std::getenv("RELAY_UPDATE_DOCUMENTS") != nullptr; }

TEST(Example, HoldsEveryKeyAtItsDefault) {
  const std::string path = "config/relay.example.yaml";
  if (updating()) std::ofstream(at_root(path)) << example_yaml();
  EXPECT_EQ(read(path), example_yaml()) << "run config_test with RELAY_UPDATE_DOCUMENTS=1";
  EXPECT_EQ(loaded(path, 0), Config{});
  for (const Key& key : all_keys()) {
    const std::string name = key.path.substr(key.path.rfind('.') + 1);
    const auto depth = static_cast<std::size_t>(std::count(key.path.begin(), key.path.end(), '.'));
    EXPECT_THAT(read(path), HasSubstr("\n" + std::string(2 * depth, ' ') + name + ":")) << key.path;
  }
}

TEST(Documentation, HoldsTheTablesOfEveryKey) {
  const std::string path = "docs/configuration.md";
  std::string text = read(path);
  const std::string begin = "writes it -->\n";
  const std::string end = "<!-- end of keys -->";
  const auto from = text.find(begin);
  const auto to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const auto first = from + begin.size();
  const std::string expected = "\n" + reference_markdown();
  if (updating()) {
    text.replace(first, to - first, expected);
    std::ofstream(at_root(path)) << text;
  }
  EXPECT_EQ(read(path).substr(first, expected.size()), expected)
      << "run config_test with RELAY_UPDATE_DOCUMENTS=1";
  for (const Key& key : all_keys()) EXPECT_THAT(read(path), HasSubstr("`" + key.path + "`"));
}

TEST(Table, NamesEveryKeyOnceAndExplainsIt) {
  std::set<std::string> seen;
  for (const Key& key : all_keys()) {
    for (const std::string& path : spellings(key)) EXPECT_TRUE(seen.insert(path).second) << path;
    EXPECT_FALSE(key.doc.empty()) << key.path;
    EXPECT_FALSE(key.type.empty()) << key.path;
    EXPECT_EQ(find_key(key.path), &key);
  }
}

}  // namespace
}  // namespace relay::config
