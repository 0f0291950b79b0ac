#include "config/load.hpp"

#include "base/unique_fd.hpp"
#include "config/testing/described.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace relay::config {
namespace {

using testing::described;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> problems_of(std::string_view text, const Environment& environment = {}) {
  return described(load_text(text, "c.yaml", environment).problems);
}

// A file that has every value of the text, for the tests that need a real one.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    const auto name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ =
        ::testing::TempDir() + "relay_config_" + name + "_" + std::to_string(::getpid()) + ".yaml";
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Load, GivesTheDefaultsForAnEmptyText) {
  for (const char* text : {"", "\n", "# only a comment\n", "server:\ncontainer:\n", "{}"}) {
    const LoadResult result = load_text(text, "c.yaml", {});
    EXPECT_THAT(described(result.problems), IsEmpty()) << text;
    EXPECT_THAT(described(result.warnings), IsEmpty()) << text;
    EXPECT_EQ(result.config, Config{}) << text;
  }
}

TEST(Load, ReadsEveryKindOfValue) {
  const LoadResult result = load_text(R"(
server:
  http_port: 9000
  tls: {cert: /a.pem, key: /b.pem}
  allowed_origins: ["https://example.org:8443", "*"]
  max_message_bytes: 1M
  shutdown_timeout: 1500ms
auth:
  mode: token
  tokens:
    - {name: ada, token: "a-rather-long-token-1", role: observer}
    - name: bob
      sha256: "AAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaa"
agent: {command: /bin/agent, env: {B: 1, A: "two", C: }, startup_timeout_seconds: 3}
sessions: {shared: true, idle_timeout: 90, permission_default: allow}
client_capabilities: passthrough
container: {cpu_limit: 2, home: tmpfs, log_opts: {max-file: 3}}
)",
                                      "c.yaml", {});
  ASSERT_THAT(described(result.problems), IsEmpty());
  const Config& config = result.config;
  EXPECT_EQ(config.server.http_port, 9000);
  EXPECT_EQ(config.server.tls.cert, "/a.pem");
  EXPECT_THAT(config.server.allowed_origins, ElementsAre("https://example.org:8443", "*"));
  EXPECT_EQ(config.server.max_message_bytes, 1u << 20);
  EXPECT_EQ(config.server.shutdown_timeout, Milliseconds(1500));
  EXPECT_EQ(config.auth.mode, AuthMode::kToken);
  ASSERT_EQ(config.auth.tokens.size(), 2u);
  EXPECT_EQ(config.auth.tokens[0],
            (TokenConfig{"ada", "a-rather-long-token-1", "", Role::kObserver}));
  EXPECT_EQ(config.auth.tokens[1].sha256, std::string(64, 'a'));
  EXPECT_EQ(config.auth.tokens[1].role, Role::kUser);
  EXPECT_EQ(config.agent.env, (StringMap{{"B", "1"}, {"A", "two"}, {"C", ""}}));
  EXPECT_EQ(config.agent.startup_timeout, Milliseconds(3000));
  EXPECT_TRUE(config.sessions.shared);
  EXPECT_EQ(config.sessions.idle_timeout, Milliseconds(90'000));
  EXPECT_EQ(config.sessions.permission_default, PermissionDefault::kAllow);
  EXPECT_EQ(config.client_capabilities, ClientCapabilitiesMode::kPassthrough);
  EXPECT_DOUBLE_EQ(config.container.cpu_limit, 2.0);
  EXPECT_EQ(config.container.home, HomeMode::kTmpfs);
  EXPECT_EQ(config.container.log_opts, (StringMap{{"max-file", "3"}}));
}

TEST(Load, NamesEveryProblemAtOnceWithItsPlace) {
  EXPECT_THAT(
      problems_of(R"(server:
  http_prt: 8080
  websocket_port: seventy
  management_port: 70000
  allowed_origins: https://a
sesions: {}
container:
  extra_volumes:
    - "/a:/b"
    - "nonsense"
  memory_limit: 2 gigs
  readonly_rootfs: yes
http_port: 1
)"),
      ElementsAre(
          "c.yaml:2:3: server.http_prt: unknown key; did you mean http_port?",
          "c.yaml:3:19: server.websocket_port: \"seventy\" is not a whole number in range; "
          "give a number from 0 to 65535",
          "c.yaml:4:20: server.management_port: \"70000\" is not a whole number in range; "
          "give a number from 0 to 65535",
          "c.yaml:5:20: server.allowed_origins: expected a list, found a single value; write "
          "[\"...\"] or one line \"- ...\" for each",
          "c.yaml:6:1: sesions: unknown key; did you mean sessions?",
          "c.yaml:10:7: container.extra_volumes[1]: not a volume; write "
          "/host/path:/container/path, with :ro or :rw behind it",
          "c.yaml:11:17: container.memory_limit: \"2 gigs\" is not a size; write 512M, 2G, "
          "64Ki or a plain number of bytes",
          "c.yaml:12:20: container.readonly_rootfs: \"yes\" is neither true nor false; write "
          "true or false",
          "c.yaml:13:1: http_port: unknown key; did you mean server.http_port?"));
}

TEST(Load, NamesTheNewKeysOfEarlierServers) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"agent: {mode: container}",
       "c.yaml:1:9: agent.mode: unknown key; write container.enabled: true for containers, false "
       "for processes"},
      {"agent: {container: {image: a}}",
       "c.yaml:1:9: agent.container: unknown key; write its keys below container"},
  };
  for (const auto& [text, expected] : rows) {
    EXPECT_THAT(problems_of(text), ElementsAre(StartsWith(expected))) << text;
  }
}

TEST(Load, RefusesWrongShapes) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"42", "c.yaml:1:1: expected sections with keys"},
      {"[1]", "c.yaml:1:1: expected sections with keys"},
      {"server: 1", "c.yaml:1:9: server: expected a section"},
      {"server: [1]", "c.yaml:1:9: server: expected a section"},
      {"server: {http_port: }",
       "c.yaml:1:10: server.http_port: expected a whole number, found nothing"},
      {"server: {http_port: [1]}",
       "c.yaml:1:21: server.http_port: expected a whole number, found a list"},
      {"server: {http_host: {a: b}}", "c.yaml:1:21: server.http_host: expected text, found a map"},
      {"server: {tls: /a.pem}", "c.yaml:1:15: server.tls: expected a section"},
      {"agent: {args: [[a]]}", "c.yaml:1:16: agent.args[0]: expected text, found a list"},
      {"agent: {args: [~]}", "c.yaml:1:16: agent.args[0]: expected text, found nothing"},
      {"agent: {env: [A]}", "c.yaml:1:14: agent.env: expected a map, found a list"},
      {"agent: {env: {A: [1]}}", "c.yaml:1:18: agent.env.A: expected text, found a list"},
      {"auth: {tokens: {name: a}}", "c.yaml:1:16: auth.tokens: expected a list of tokens"},
      {"auth: {tokens: [a]}", "c.yaml:1:17: auth.tokens[0]: expected a map"},
      {"log: {level: loud}",
       "c.yaml:1:14: log.level: \"loud\" is not a choice here; choose debug, "
       "info, warn or error"},
      {"container: {cpu_limit: nan}", "c.yaml:1:24: container.cpu_limit: \"nan\" is not a number"},
      {"container: {cpu_limit: -1}", "c.yaml:1:24: container.cpu_limit: \"-1\" is not a number"},
      {"sessions: {idle_timeout: -5s}",
       "c.yaml:1:26: sessions.idle_timeout: \"-5s\" is not a duration"},
      {"server: {header_timeout: 0}", "c.yaml:1:26: server.header_timeout: \"0\" is too short"},
      {"server: {max_message_bytes: 2G}",
       "c.yaml:1:29: server.max_message_bytes: \"2G\" is out of range"},
      {"server: {max_id_bytes: 63}", "c.yaml:1:24: server.max_id_bytes: \"63\" is out of range"},
      {"sessions: {max_clients: 99999999999999999999}", "is not a whole number in range"},
  };
  for (const auto& [text, expected] : rows) {
    const auto problems = problems_of(text);
    ASSERT_FALSE(problems.empty()) << text;
    EXPECT_THAT(problems.front(), HasSubstr(expected)) << text;
  }
}

TEST(Load, RefusesTextThatIsNotThePlainYamlOfAConfiguration) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "[";
  std::string many;
  for (int i = 0; i < 20'001; ++i) many += "- a\n";
  std::string deep_block;
  for (int i = 0; i < 200; ++i) deep_block += "- ";
  const std::vector<std::pair<std::string, std::string>> rows{
      {"server:\n  http_port: 1\n  http_port: 2\n",
       "c.yaml:3:3: server.http_port: the key is there twice (first in line 2)"},
      {"log: {}\nlog: {}\n", "c.yaml:2:1: log: the key is there twice (first in line 1)"},
      {"server: {http_host: \"a}", "not valid YAML"},
      {"server:\n\thttp_port: 1\n", "indent with spaces: line 2 begins with a tab"},
      {"a: b: c", "not valid YAML"},
      {"a: &x {}\nb: *x\n", "anchors and aliases"},
      {"server: {http_port: !!int 5}", "tags (!) are not supported"},
      {"? [a]\n: b\n", "a key must be a plain name"},
      {"? {a: b}\n: b\n", "a key must be a plain name"},
      {"server: {}\n---\nserver: {}\n", "more than one YAML document"},
      {"a: \x04", "c.yaml:1:4: a control character"},
      {"log:\n  a: \xff\n", "c.yaml:2:6: a control character or a byte that is not UTF-8"},
      {std::string("a\0b", 3), "c.yaml:1:2: a control character"},
      {deep, "close every [ and {"},
      {std::string(40, '[') + std::string(40, ']'), "nested more than 32 levels"},
      {deep_block + "a", "nested more than 32 levels"},
      {many, "more than 20000 values"},
      {std::string((1u << 20) + 1, ' '), "larger than 1 MiB"},
  };
  for (const auto& [text, expected] : rows) {
    const auto problems = problems_of(text);
    ASSERT_FALSE(problems.empty()) << text.substr(0, 40);
    EXPECT_THAT(problems.front(), HasSubstr(expected)) << text.substr(0, 40);
  }
}

TEST(Load, TakesDurationsUnderTheirNamesWithSeconds) {
  const std::vector<std::string> texts{"agent: {startup_timeout_seconds: 7}",
                                       "agent: {startup_timeout: 7s}",
                                       "agent: {startup_timeout_seconds: 7000ms}"};
  for (const std::string& text : texts) {
    const LoadResult result = load_text(text, "c.yaml", {});
    EXPECT_TRUE(result.ok()) << text;
    EXPECT_EQ(result.config.agent.startup_timeout, Milliseconds(7000)) << text;
  }
  const LoadResult other = load_text("sessions: {idle_timeout_seconds: 5}", "c.yaml", {});
  EXPECT_TRUE(other.ok());
  EXPECT_EQ(other.config.sessions.idle_timeout, Milliseconds(5000));
  EXPECT_THAT(problems_of("agent:\n  startup_timeout: 1\n  startup_timeout_seconds: 2\n"),
              ElementsAre("c.yaml:3:3: agent.startup_timeout_seconds: the same as "
                          "agent.startup_timeout, which is there too; remove one of the two"));
}

TEST(Load, WarnsOfEachUnsetVariableWithItsKey) {
  const LoadResult result = load_text(
      "agent:\n  command: a\n  env:\n    KEY: \"${NOT_SET}${NOT_SET}\"\n    OTHER: ${SET:-x}\n",
      "c.yaml", {});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config.agent.env, (StringMap{{"KEY", ""}, {"OTHER", "x"}}));
  EXPECT_THAT(
      described(result.warnings),
      ElementsAre("c.yaml:4:10: agent.env.KEY: the variable NOT_SET is not set, so ${NOT_SET} is "
                  "empty; set NOT_SET, or write ${NOT_SET:-default}"));
}

TEST(Load, ExpandsValuesOfEveryType) {
  const LoadResult result =
      load_text("server: {http_port: \"${PORT:-9000}\", http_host: \"${HOST}\"}", "c.yaml",
                {{"HOST", "127.0.0.2"}});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config.server.http_port, 9000);
  EXPECT_EQ(result.config.server.http_host, "127.0.0.2");
}

TEST(Load, NeverRepeatsWhatAVariableBroughtIn) {
  const auto problems =
      problems_of("server: {http_port: \"${SECRET}\"}", {{"SECRET", "hunter2hunter2"}});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_THAT(problems[0], HasSubstr("the value of ${SECRET}"));
  EXPECT_THAT(problems[0], ::testing::Not(HasSubstr("hunter2")));
}

TEST(Load, DoesNotRepeatATokenThatLacksItsKey) {
  for (const std::string& problem :
       problems_of("auth: {tokens: [{name: a, s3cr3t-value: , role: user}]}"))
    EXPECT_THAT(problem, ::testing::Not(HasSubstr("s3cr3t")));
}

TEST(Load, ReadsAFileFromDisk) {
  const TemporaryFile file("server: {http_port: 1234}\n");
  const LoadResult result = load(file.path(), {});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config.server.http_port, 1234);
}

TEST(Load, WarnsOfAFileThatHasBeenReplacedElsewhere) {
  const TemporaryFile file("server: {http_port: 1234}");
  EXPECT_TRUE(load(file.path(), {}).warnings.empty());
  const UniqueFd open(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(open);
  ASSERT_EQ(::unlink(file.path().c_str()), 0);
  const LoadResult result = load("/proc/self/fd/" + std::to_string(open.get()), {});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.config.server.http_port, 1234);
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_THAT(describe(result.warnings[0]), HasSubstr("start the container anew"));
}

TEST(Load, ExplainsAFileThatCannotBeRead) {
  const LoadResult missing = load("/nonexistent/relay.yaml", {});
  ASSERT_EQ(missing.problems.size(), 1u);
  EXPECT_THAT(describe(missing.problems[0]), HasSubstr("/nonexistent/relay.yaml: no such file; "));
  EXPECT_TRUE(missing.is_unread());
  EXPECT_FALSE(load_text("serve: {}", "c.yaml", {}).is_unread());
  const LoadResult directory = load("/tmp", {});
  ASSERT_EQ(directory.problems.size(), 1u);
  EXPECT_THAT(describe(directory.problems[0]), HasSubstr("is a directory"));
  const TemporaryFile huge(std::string(3u << 20, '#'));
  const LoadResult too_large = load(huge.path(), {});
  ASSERT_EQ(too_large.problems.size(), 1u);
  EXPECT_THAT(describe(too_large.problems[0]), HasSubstr("larger than 1 MiB"));
}

TEST(Describe, NeverPutsControlCharactersOnTheTerminal) {
  const Problem problem{"c.yaml", 1, 2, "a\x1b[31m", "b\nc", ""};
  EXPECT_EQ(describe(problem), "c.yaml:1:2: a [31m: b c");
}

}  // namespace
}  // namespace relay::config
