#include "cli/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

template <class T>
T parsed(const Words& words, const Environment& environment = {}) {
  const auto result = parse_command_line(words, environment);
  const auto* command = std::get_if<Command>(&result);
  if (command == nullptr) {
    ADD_FAILURE() << std::get<Leave>(result).err;
    return {};
  }
  const T* value = std::get_if<T>(command);
  if (value == nullptr) {
    ADD_FAILURE() << "another command";
    return {};
  }
  return *value;
}

Leave refused(const Words& words) {
  const auto result = parse_command_line(words, {});
  const auto* leave = std::get_if<Leave>(&result);
  if (leave == nullptr) {
    ADD_FAILURE() << "was accepted";
    return {};
  }
  return *leave;
}

TEST(CommandLine, ServesWithoutACommand) {
  const auto serve = parsed<ServeCommand>({});
  EXPECT_EQ(serve.config, "config.yaml");
  EXPECT_FALSE(serve.config_given);
  EXPECT_FALSE(serve.verbose);
}

TEST(CommandLine, TakesServeOptionsWithAndWithoutTheCommand) {
  for (const Words& words : {Words{"--config", "a.yaml", "--verbose"},
                             Words{"serve", "--config", "a.yaml", "--verbose"}}) {
    const auto serve = parsed<ServeCommand>(words);
    EXPECT_EQ(serve.config, "a.yaml");
    EXPECT_TRUE(serve.config_given);
    EXPECT_TRUE(serve.verbose);
  }
  EXPECT_EQ(refused({"--config", "a.yaml", "prompt", "hello"}).exit_code, 2);
}

TEST(CommandLine, ReadsTheOptionsOfConnect) {
  const auto plain = parsed<ConnectCommand>({"connect"});
  EXPECT_EQ(plain.relay.url, "http://127.0.0.1:8080");
  EXPECT_EQ(plain.reconnect_seconds, 300);
  const Words words{"connect", "--url",  "wss://h/acp",         "--agent", "a",
                    "--token", "secret", "--reconnect-timeout", "0"};
  const auto full = parsed<ConnectCommand>(words, {{"ACP_RELAY_URL", "http://other:1"}});
  EXPECT_EQ(full.relay.url, "wss://h/acp");
  EXPECT_EQ(full.agent, "a");
  EXPECT_EQ(full.token, "secret");
  EXPECT_EQ(full.reconnect_seconds, 0);
  EXPECT_EQ(parsed<ConnectCommand>({"connect"}, {{"ACP_RELAY_URL", "http://other:1"}}).relay.url,
            "http://other:1");
  EXPECT_EQ(refused({"connect", "--reconnect-timeout", "-1"}).exit_code, 2);
}

TEST(CommandLine, JoinsTheWordsOfAPrompt) {
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "hello"}).text, "hello");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "what", "is", "this?"}).text, "what is this?");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "serve", "sessions", "list"}).text,
            "serve sessions list");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "-"}).text, "-");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "/chunks", "3", "10"}).text, "/chunks 3 10");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "--", "--dashed"}).text, "--dashed");
}

TEST(CommandLine, LeavesBracketsInPromptsAlone) {
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "[1,2]", "[\"a\"]"}).text, "[1,2] [\"a\"]");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "x", "--cwd", "[a]"}).cwd, "[a]");
}

TEST(CommandLine, ReadsEveryOptionOfAPrompt) {
  const auto prompt = parsed<PromptCommand>(
      {"prompt", "hi", "--session", "sess_1", "--cwd", "/tmp", "--json", "--mode", "ask", "--model",
       "[small]", "--close", "--yes", "--url", "http://h:1", "--token-file", "t"});
  EXPECT_EQ(prompt.text, "hi");
  EXPECT_EQ(prompt.session, "sess_1");
  EXPECT_EQ(prompt.cwd, "/tmp");
  EXPECT_EQ(prompt.mode, "ask");
  EXPECT_EQ(prompt.model, "[small]");
  EXPECT_TRUE(prompt.json);
  EXPECT_TRUE(prompt.close);
  EXPECT_EQ(prompt.permissions, PermissionPolicy::kAllow);
  EXPECT_EQ(prompt.relay.url, "http://h:1");
  EXPECT_EQ(prompt.relay.token_file, "t");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "--no", "hi"}).permissions, PermissionPolicy::kReject);
}

TEST(CommandLine, OptionsComeBeforeTheEnvironmentAndThatBeforeDefaults) {
  const Environment environment{{"ACP_RELAY_URL", "http://env:1"},
                                {"ACP_RELAY_MANAGEMENT_URL", "http://env:2"}};
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "x"}).relay.url, "http://127.0.0.1:8080");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "x"}, environment).relay.url, "http://env:1");
  EXPECT_EQ(parsed<PromptCommand>({"prompt", "x", "--url", "http://opt:1"}, environment).relay.url,
            "http://opt:1");
  EXPECT_EQ(parsed<ShowCommand>({"sessions", "show", "s"}, environment).relay.management_url,
            "http://env:2");
}

TEST(CommandLine, ReadsDrain) {
  const DrainCommand plain = parsed<DrainCommand>({"drain"});
  EXPECT_TRUE(plain.stop);
  EXPECT_FALSE(plain.until_no_session || plain.force || plain.undo);
  EXPECT_EQ(plain.timeout_seconds, 0);
  const DrainCommand other =
      parsed<DrainCommand>({"drain", "--until", "sessions", "--timeout", "600", "--force"});
  EXPECT_TRUE(other.until_no_session && other.force);
  EXPECT_EQ(other.timeout_seconds, 600);
  EXPECT_FALSE(parsed<DrainCommand>({"drain", "--no-stop"}).stop);
  EXPECT_TRUE(parsed<DrainCommand>({"drain", "--undo"}).undo);
  refused({"drain", "--force", "--no-stop"});
  refused({"drain", "--until", "monday"});
}

TEST(CommandLine, ReadsHealth) {
  const HealthCommand plain = parsed<HealthCommand>({"health"});
  EXPECT_FALSE(plain.watch || plain.json);
  EXPECT_EQ(plain.limit, 100);
  EXPECT_EQ(plain.relay.management_url, "http://127.0.0.1:8082");
  const HealthCommand other = parsed<HealthCommand>(
      {"health", "--watch", "--json", "--limit", "7", "--management-url", "http://h:1"});
  EXPECT_TRUE(other.watch && other.json);
  EXPECT_EQ(other.limit, 7);
  EXPECT_EQ(other.relay.management_url, "http://h:1");
  EXPECT_EQ(parsed<HealthCommand>({"health", "--config", "c.yaml"}).relay.config, "c.yaml");
  EXPECT_EQ(refused({"health", "--config", "c", "--management-url", "http://h:1"}).exit_code, 2);
  EXPECT_EQ(refused({"sessions", "--config", "c", "list", "--url", "http://h:1"}).exit_code, 2);
  EXPECT_EQ(refused({"sessions", "--url", "http://h:1", "list", "--config", "c"}).exit_code, 2);
  EXPECT_EQ(parsed<ListCommand>({"sessions", "--config", "c.yaml", "list"}).relay.config, "c.yaml");
  EXPECT_EQ(parsed<ListCommand>({"sessions", "list", "--config", "c.yaml"}).relay.config, "c.yaml");
}

TEST(CommandLine, ReadsTheSessionsCommands) {
  EXPECT_TRUE(parsed<ListCommand>({"sessions", "list", "--active", "--json"}).only_active);
  EXPECT_EQ(parsed<ListCommand>({"sessions", "list", "--limit", "5"}).limit, 5);
  EXPECT_EQ(parsed<HistoryCommand>({"sessions", "history", "s", "--after", "40"}).after, 40);
  EXPECT_EQ(parsed<CloseCommand>({"sessions", "close", "s"}).session, "s");
  EXPECT_TRUE(parsed<CloseCommand>({"sessions", "close", "--idle"}).only_idle);
  EXPECT_FALSE(parsed<CloseCommand>({"sessions", "close", "--all"}).only_idle);
  EXPECT_EQ(parsed<CloseCommand>({"sessions", "close", "--all"}).session, "");
  EXPECT_EQ(refused({"sessions", "close"}).exit_code, 2);
  EXPECT_EQ(refused({"sessions", "close", "s", "--all"}).exit_code, 2);
  EXPECT_EQ(refused({"sessions", "close", "--idle", "--all"}).exit_code, 2);
  EXPECT_EQ(parsed<ExportCommand>({"sessions", "export", "s", "--output", "f"}).output, "f");
  EXPECT_EQ(parsed<ImportCommand>({"sessions", "import", "-"}).file, "-");
  EXPECT_FALSE(parsed<ImportCommand>({"sessions", "import", "f"}).new_id);
  EXPECT_TRUE(parsed<ImportCommand>({"sessions", "import", "--new-id", "f"}).new_id);
}

TEST(CommandLine, ReadsAReplay) {
  const auto plain = parsed<ReplayCommand>({"replay", "f"});
  EXPECT_EQ(plain.file, "f");
  EXPECT_FALSE(plain.check);
  EXPECT_FALSE(plain.as_recorded);
  EXPECT_TRUE(plain.command.empty());
  const auto full =
      parsed<ReplayCommand>({"replay", "f", "--check", "--speed", "as-recorded", "--cwd", "/x",
                             "--timeout", "5", "--", "my-agent", "--verbose", "[a]"});
  EXPECT_TRUE(full.check);
  EXPECT_TRUE(full.as_recorded);
  EXPECT_EQ(full.cwd, "/x");
  EXPECT_EQ(full.timeout_seconds, 5);
  EXPECT_EQ(full.command, (Words{"my-agent", "--verbose", "[a]"}));
  EXPECT_EQ(refused({"replay"}).exit_code, 2);
  EXPECT_EQ(refused({"replay", "f", "--speed", "slow"}).exit_code, 2);
}

TEST(CommandLine, ReadsAlive) {
  const auto alive = parsed<AliveCommand>({"alive", "--config", "a.yaml", "--timeout", "9"});
  EXPECT_EQ(alive.config, "a.yaml");
  EXPECT_EQ(alive.timeout_seconds, 9);
  EXPECT_EQ(parsed<AliveCommand>({"alive"}).config, "config.yaml");
  EXPECT_EQ(refused({"alive", "--timeout", "0"}).exit_code, 2);
}

TEST(CommandLine, ReadsBackup) {
  const auto backup = parsed<BackupCommand>({"backup", "--config", "a.yaml", "b.db"});
  EXPECT_EQ(backup.file, "b.db");
  EXPECT_EQ(backup.config, "a.yaml");
  EXPECT_EQ(parsed<BackupCommand>({"backup", "b.db"}).config, "config.yaml");
  EXPECT_EQ(parsed<BackupCommand>({"backup", "--database", "a.db", "b.db"}).database, "a.db");
  EXPECT_EQ(refused({"backup"}).exit_code, 2);
  EXPECT_EQ(refused({"backup", "b.db", "--database", "a.db", "--config", "c"}).exit_code, 2);
}

TEST(CommandLine, ReadsCheckConfig) {
  EXPECT_FALSE(parsed<CheckConfigCommand>({"check-config"}).file_given);
  EXPECT_EQ(parsed<CheckConfigCommand>({"check-config", "a.yaml"}).file, "a.yaml");
  EXPECT_TRUE(parsed<CheckConfigCommand>({"check-config", "a.yaml"}).file_given);
  EXPECT_EQ(parsed<CheckConfigCommand>({"check-config", "--config", "a.yaml"}).file, "a.yaml");
  EXPECT_TRUE(parsed<CheckConfigCommand>({"check-config", "--config=a.yaml"}).file_given);
  EXPECT_EQ(parsed<CheckConfigCommand>({"check-config", "-config", "a.yaml"}).file, "a.yaml");
  EXPECT_EQ(parsed<ServeCommand>({"-config", "a.yaml"}).config, "a.yaml");
  const auto history =
      parsed<HistoryCommand>({"sessions", "--url", "http://a:1", "history", "sess_1"});
  EXPECT_EQ(history.relay.url, "http://a:1");
  EXPECT_EQ(history.session, "sess_1");
  EXPECT_EQ(parsed<ServeCommand>({"serve", "-config=a.yaml"}).config, "a.yaml");
}

TEST(CommandLine, ReadsEgressCheck) {
  const auto check = parsed<EgressCheckCommand>({"egress", "check", "/own/v1"});
  EXPECT_EQ(check.url, "/own/v1");
  EXPECT_EQ(check.method, "POST");
  EXPECT_EQ(check.config, "config.yaml");
  const auto full = parsed<EgressCheckCommand>({"egress", "check", "--agent", "a", "--method",
                                                "GET", "--config", "a.yaml", "--json", "http://x"});
  EXPECT_EQ(full.agent, "a");
  EXPECT_EQ(full.method, "GET");
  EXPECT_EQ(full.config, "a.yaml");
  EXPECT_TRUE(full.json);
  EXPECT_EQ(refused({"egress"}).exit_code, 2);
  EXPECT_EQ(refused({"egress", "check"}).exit_code, 2);
}

TEST(CommandLine, ReadsPreflight) {
  EXPECT_EQ(parsed<PreflightCommand>({"preflight"}).config, "config.yaml");
  EXPECT_FALSE(parsed<PreflightCommand>({"preflight"}).config_given);
  const auto preflight = parsed<PreflightCommand>({"preflight", "--config", "a.yaml", "--json"});
  EXPECT_EQ(preflight.config, "a.yaml");
  EXPECT_TRUE(preflight.config_given);
  EXPECT_TRUE(preflight.json);
  EXPECT_EQ(refused({"preflight", "a.yaml"}).exit_code, 2);
}

TEST(CommandLine, RefusesMistakesWithExitCode2AndAText) {
  const std::vector<Words> mistakes{
      {"promt", "hello"},       {"prompt"},
      {"prompt", "x", "--nix"}, {"prompt", "x", "--yes", "--no"},
      {"prompt", "x", "--url"}, {"sessions"},
      {"sessions", "show"},     {"sessions", "history", "s", "--after", "-1"},
      {"serve", "extra"},       {"sessions", "list", "--limit", "0"},
      {"--token", "secret"}};
  for (const Words& words : mistakes) {
    const Leave leave = refused(words);
    EXPECT_EQ(leave.exit_code, 2) << words.front();
    EXPECT_THAT(leave.err, HasSubstr("--help")) << words.front();
    EXPECT_EQ(leave.out, "");
  }
}

TEST(CommandLine, HelpTeaches) {
  const Leave help = refused({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* part :
       {"Examples:", "ACP_RELAY_TOKEN", "Exit codes:", "prompt", "check-config"}) {
    EXPECT_THAT(help.out, HasSubstr(part));
  }
  EXPECT_THAT(refused({"prompt", "--help"}).out, HasSubstr("5 cancelled"));
  EXPECT_THAT(refused({"sessions", "--help"}).out, HasSubstr("--management-url"));
  EXPECT_THAT(refused({"--version"}).out, HasSubstr("acp-relay "));
}

}  // namespace
}  // namespace relay::cli
