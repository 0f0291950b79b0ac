#include "app/settings.hpp"

#include "app/egress_broker.hpp"
#include "app/startup_lines.hpp"
#include "config/load.hpp"
#include "management/session_import.hpp"

#include <gmock/gmock.h>

namespace relay::app {
namespace {

using config::AuthMode;
using config::Config;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

TEST(ContainerOptions, HaveWhatThePresetOfTheAgentSets) {
  const Config config =
      config::load_text(
          "egress: {port: 7, upstreams: {anthropic: {credential: {value: sk-1234}}}}\n"
          "container: {enabled: true}\nagent: {preset: claude, env: {MORE: x}}",
          "c.yaml", {})
          .config;
  const ContainerOptions options = container_options(config, "");
  EXPECT_THAT(options.environment,
              ::testing::IsSupersetOf(NameValues{
                  {"ANTHROPIC_BASE_URL", "http://127.0.0.1:7/anthropic"}, {"MORE", "x"}}));
  EXPECT_TRUE(options.readonly_rootfs);
}

config::TokenConfig token(std::string name, std::string secret, config::Role role) {
  config::TokenConfig made;
  made.name = std::move(name);
  made.token = std::move(secret);
  made.role = role;
  return made;
}

TEST(AccessRules, AskForATokenBeyondThisMachine) {
  struct Row {
    AuthMode mode;
    std::string host;
    bool required;
  };
  for (const Row& row :
       {Row{AuthMode::kAuto, "127.0.0.1", false}, Row{AuthMode::kAuto, "0.0.0.0", true},
        Row{AuthMode::kToken, "127.0.0.1", true}, Row{AuthMode::kToken, "0.0.0.0", true},
        Row{AuthMode::kNone, "127.0.0.1", false}, Row{AuthMode::kNone, "0.0.0.0", false}}) {
    Config config;
    config.auth.mode = row.mode;
    config.server.http_host = row.host;
    EXPECT_EQ(access_rules(config, Listener::kHttp, "").token_required, row.required) << row.host;
    EXPECT_EQ(needs_generated_token(config), row.required) << row.host;
  }
}

TEST(AccessRules, KeepDigestsAndRoles) {
  Config config;
  config.auth.tokens = {token("ada", "secret", config::Role::kObserver)};
  config.auth.tokens.emplace_back();
  config.auth.tokens[1].name = "bob";
  config.auth.tokens[1].sha256 = std::string(64, 'a');
  config.auth.tokens[1].role = config::Role::kOperator;
  const http::AccessRules rules = access_rules(config, Listener::kWebSocket, "generated");
  ASSERT_EQ(rules.tokens.size(), 2u) << "none is generated beside configured ones";
  EXPECT_EQ(rules.tokens[0].name, "ada");
  EXPECT_EQ(rules.tokens[0].sha256_hex, http::sha256_hex("secret"));
  EXPECT_EQ(rules.tokens[0].role, http::Role::kObserver);
  EXPECT_EQ(rules.tokens[1].sha256_hex, std::string(64, 'a'));
  EXPECT_EQ(rules.tokens[1].role, http::Role::kOperator);
  EXPECT_FALSE(needs_generated_token(config));
}

TEST(AccessRules, TheGeneratedTokenIsAnOperators) {
  Config config;
  config.server.management_host = "0.0.0.0";
  ASSERT_TRUE(needs_generated_token(config));
  const http::AccessRules rules = access_rules(config, Listener::kManagement, "made");
  EXPECT_TRUE(rules.token_required);
  EXPECT_TRUE(rules.operator_only);
  EXPECT_FALSE(rules.loopback_bind);
  ASSERT_EQ(rules.tokens.size(), 1u);
  EXPECT_EQ(rules.tokens[0].sha256_hex, http::sha256_hex("made"));
  EXPECT_EQ(rules.tokens[0].role, http::Role::kOperator);
  EXPECT_FALSE(access_rules(config, Listener::kHttp, "made").operator_only);
}

TEST(AccessRules, OfTheManagementPortAskForAnOperatorWhereTokensAreInUse) {
  struct Row {
    AuthMode mode;
    std::string host;
    bool operator_only;
    bool admits_without_token;
  };
  for (const Row& row : {Row{AuthMode::kAuto, "127.0.0.1", false, true},
                         Row{AuthMode::kAuto, "0.0.0.0", true, false},
                         Row{AuthMode::kToken, "127.0.0.1", false, false},
                         Row{AuthMode::kToken, "0.0.0.0", true, false},
                         Row{AuthMode::kNone, "127.0.0.1", false, true},
                         Row{AuthMode::kNone, "0.0.0.0", false, true}}) {
    Config config;
    config.auth.mode = row.mode;
    config.server.management_host = row.host;
    const std::string made = needs_generated_token(config) ? "made" : "";
    const http::AccessRules rules = access_rules(config, Listener::kManagement, made);
    EXPECT_EQ(rules.operator_only, row.operator_only) << row.host;
    http::Request request;
    request.headers = {{"Host", "127.0.0.1:8082"}};
    const auto admitted = http::admit(rules, request);
    EXPECT_EQ(admitted.has_value(), row.admits_without_token) << row.host;
    EXPECT_EQ(admitted && http::admit_operator(rules, *admitted), row.admits_without_token)
        << row.host;
  }
}

TEST(ServerOptions, EachListenerHasItsOwnPortAndKeys) {
  Config config;
  config.server.http_port = 1;
  config.server.websocket_port = 2;
  config.server.management_port = 3;
  config.server.websocket_host = "::1";
  const auto http = server_options(config, Listener::kHttp);
  const auto websocket = server_options(config, Listener::kWebSocket);
  const auto management = server_options(config, Listener::kManagement);
  EXPECT_EQ(http.port, 1);
  EXPECT_EQ(websocket.port, 2);
  EXPECT_EQ(management.port, 3);
  EXPECT_EQ(websocket.host, "::1");
  EXPECT_EQ(websocket.host_key, "server.websocket_host");
  EXPECT_EQ(management.port_key, "server.management_port");
  EXPECT_FALSE(http.tls);
  config.server.tls = {"cert.pem", "key.pem"};
  EXPECT_TRUE(server_options(config, Listener::kHttp).tls);
}

TEST(ServerOptions, CarryTheLimits) {
  Config config;
  config.server.max_message_bytes = 11;
  config.server.max_header_bytes = 12;
  config.server.max_connections = 13;
  config.server.ping_interval = milliseconds(14);
  config.server.pong_timeout = milliseconds(15);
  config.server.header_timeout = milliseconds(16);
  config.server.request_timeout = milliseconds(17);
  config.server.min_body_rate = 18;
  const auto options = server_options(config, Listener::kWebSocket);
  EXPECT_EQ(options.max_body_bytes, 11u);
  EXPECT_EQ(server_options(config, Listener::kManagement).max_body_bytes,
            management::kMaxImportBytes);
  EXPECT_EQ(options.websocket.max_message_bytes, 11u);
  EXPECT_EQ(options.max_header_bytes, 12u);
  EXPECT_EQ(options.max_connections, 13u);
  EXPECT_EQ(options.websocket.ping_interval, milliseconds(14));
  EXPECT_EQ(options.websocket.pong_deadline, milliseconds(15));
  EXPECT_EQ(options.header_timeout, milliseconds(16));
  EXPECT_EQ(options.pace.total, milliseconds(17));
  EXPECT_EQ(options.pace.least_rate, 18u);
  config.server.max_bodies_bytes = 1 << 20;
  EXPECT_EQ(server_options(config, Listener::kManagement).max_body_bytes, std::size_t{1} << 20)
      << "what can never fit is refused as too large";
}

TEST(SessionOptions, CarryTheLimits) {
  Config config;
  config.sessions.max_queued_prompts = 1;
  config.sessions.max_pending_requests = 2;
  config.sessions.permission_timeout = milliseconds(3);
  config.sessions.permission_default = config::PermissionDefault::kReject;
  config.sessions.prompt_timeout = milliseconds(4);
  config.sessions.max_clients = 5;
  config.agent.startup_timeout = milliseconds(6);
  config.agent.stop_grace = milliseconds(7);
  config.agent.max_inbox_bytes = 8;
  config.server.max_json_depth = 9;
  config.server.max_id_bytes = 10;
  config.server.max_outbox_bytes = 11;
  config.server.max_outbox_frames = 12;
  const SessionOptions options = session_options(config, Isolation::kProcess);
  EXPECT_EQ(options.router.max_queued_prompts, 1u);
  EXPECT_EQ(options.router.max_pending_requests, 2u);
  EXPECT_EQ(options.router.permission_timeout, milliseconds(3));
  EXPECT_EQ(options.router.permission_default, PermissionDefault::kReject);
  EXPECT_EQ(options.prompt_timeout, milliseconds(4));
  EXPECT_EQ(options.max_clients, 5u);
  EXPECT_EQ(options.startup_timeout, milliseconds(6));
  EXPECT_EQ(options.stop_grace, milliseconds(7));
  EXPECT_EQ(options.max_inbox_bytes, 8u);
  EXPECT_EQ(options.frame.max_depth, 9u);
  EXPECT_EQ(options.frame.max_id_bytes, 10u);
  EXPECT_EQ(outbox_limits(config).bytes, 11u);
  EXPECT_EQ(outbox_limits(config).frames, 12u);
}

TEST(SessionOptions, OfferClientsDisksOnlyWhenTheyArePassedThrough) {
  Config config;
  config.client_capabilities = config::ClientCapabilitiesMode::kStrip;
  EXPECT_TRUE(session_options(config, Isolation::kProcess).router.strip_client_disk);
  EXPECT_EQ(session_options(config, Isolation::kProcess).client_capabilities, "{}");
  config.client_capabilities = config::ClientCapabilitiesMode::kPassthrough;
  EXPECT_FALSE(session_options(config, Isolation::kProcess).router.strip_client_disk);
  EXPECT_THAT(session_options(config, Isolation::kProcess).client_capabilities,
              HasSubstr(R"("terminal":true)"));
}

TEST(ProcessOptions, RunTheDemoAgentWhenNoneIsConfigured) {
  Config config;
  config.agent.args = {"--unused"};
  EXPECT_EQ(process_options(config, "/bin/demo").command, "/bin/demo");
  EXPECT_THAT(process_options(config, "/bin/demo").args, IsEmpty());
  config.agent.command = "my-agent";
  EXPECT_EQ(process_options(config, "/bin/demo").command, "my-agent");
  EXPECT_THAT(process_options(config, "/bin/demo").args, ElementsAre("--unused"));
}

TEST(StartupLines, SayWhereAndHow) {
  Config config;
  const std::string text = startup_lines(config, {8080, 8081, 8082, "", ""});
  for (const char* part :
       {"http://127.0.0.1:8080", "ws://127.0.0.1:8081", "http://127.0.0.1:8082", "is ready",
        "open to this machine", "demo agent", "session/new", "acp-relay prompt \"hello\""}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("token  ")));
}

TEST(StartupLines, ShowTheGeneratedTokenOnceAndUseIt) {
  Config config;
  config.server.http_host = "::";
  const std::string text = startup_lines(config, {1, 2, 3, "my-agent --x", "made-token"});
  EXPECT_THAT(text, HasSubstr("http://[::]:1"));
  EXPECT_THAT(text, HasSubstr("with the token below"));
  EXPECT_THAT(text, HasSubstr("Authorization: Bearer made-token"));
  EXPECT_THAT(text, HasSubstr("my-agent --x"));
}

TEST(StartupLines, WarnOfAnOpenDoor) {
  Config config;
  config.auth.mode = AuthMode::kNone;
  config.server.http_host = "0.0.0.0";
  EXPECT_THAT(startup_lines(config, {1, 2, 3, "", ""}),
              HasSubstr("OPEN TO THE NETWORK WITHOUT A TOKEN"));
}

TEST(StartupLines, NeverShowConfiguredTokens) {
  Config config;
  config.auth.mode = AuthMode::kToken;
  config.auth.tokens = {token("ada", "s3cret-value", config::Role::kUser)};
  config.server.tls = {"cert.pem", "key.pem"};
  const std::string text = startup_lines(config, {1, 2, 3, "", ""});
  EXPECT_THAT(text, Not(HasSubstr("s3cret-value")));
  EXPECT_THAT(text, HasSubstr("with a token of auth.tokens"));
  EXPECT_THAT(text, HasSubstr("https://"));
  EXPECT_THAT(text, HasSubstr("wss://"));
}

TEST(StartupLines, NameTheEngineOrWhyThereIsNone) {
  Config config;
  config.container.enabled = true;
  config.container.image = "agents/mine:1";
  Running running;
  running.engine = "Docker 20.10.24 (API 1.41) at unix:///var/run/docker.sock";
  const std::string contained = startup_lines(config, running);
  EXPECT_THAT(contained, HasSubstr("image agents/mine:1"));
  EXPECT_THAT(contained, HasSubstr("container: one for each session, network none, by Docker"));
  EXPECT_THAT(contained, HasSubstr("  network     none: no model can be reached"));
  config.agent.upstreams = {"anthropic", "own"};
  EXPECT_THAT(startup_lines(config, running),
              HasSubstr("  network     none but anthropic, own through the relay, at "
                        "http://127.0.0.1:9180/NAME in a container (carrier unix)\n"));
  config.container.network_mode = "bridge";
  EXPECT_THAT(startup_lines(config, running), Not(HasSubstr("  network ")));
  config.container.network_mode = "none";
  running.engine.clear();
  running.agent = "my-agent";
  running.no_containers_because = "nobody listens";
  const std::string fallen_back = startup_lines(config, running);
  EXPECT_THAT(fallen_back, HasSubstr("process: NO CONTAINERS"));
  EXPECT_THAT(fallen_back, HasSubstr("nobody listens"));
  EXPECT_THAT(fallen_back, HasSubstr("my-agent"));
}

TEST(StartupLines, NameFurtherAgents) {
  Config config;
  config::NamedAgentConfig contained;
  contained.name = "claude";
  contained.isolation = config::AgentIsolation::kContainer;
  contained.container.image = "claude:1";
  contained.container.network_mode = "bridge";
  config::NamedAgentConfig process;
  process.name = "local";
  config.agents = {contained, process, process};
  Running running;
  running.agents = {{"claude", ""}, {"local", "my-agent --acp"}, {"local", ""}};
  const std::string text = startup_lines(config, running);
  EXPECT_THAT(text,
              HasSubstr("  agents      claude: image claude:1, in containers, network bridge\n"));
  EXPECT_THAT(text, HasSubstr("              local: my-agent --acp, as processes"));
  EXPECT_THAT(text, HasSubstr("local: the built-in demo agent, as processes"));
}

TEST(ConfigOfAnAgent, HasItsOwnLimitsAndProgram) {
  const Config config = config::load_text(R"(
agent: {env: {KEY: value-of-default}, max_inbox_bytes: 40M, client_env: [A]}
container: {startup_timeout: 40s}
agents: {big: {image: "big:1", memory_limit: 8G, client_env: [B]}}
)",
                                          "c.yaml", {})
                            .config;
  ASSERT_EQ(config.agents.size(), 1u);
  const Config own = config_of(config, config.agents[0]);
  const ContainerOptions container = container_options(own, "/helper");
  EXPECT_EQ(container.image, "big:1");
  EXPECT_EQ(container.memory_limit, 8ull << 30);
  EXPECT_THAT(container.environment, IsEmpty());
  const SessionOptions session = session_options(own, Isolation::kContainer);
  EXPECT_EQ(session.startup_timeout, std::chrono::seconds(40));
  EXPECT_EQ(session.max_inbox_bytes, 40u << 20);
  EXPECT_THAT(session.client_env, ElementsAre("B"));
}

TEST(ContainerOptions, SayInTheEnvironmentWhereUpstreamsAre) {
  Config config;
  config.egress.port = 81;
  config.agent.env = {{"BASE", "{upstream:own}/v1"}, {"KEY", "{upstream_key}"}};
  EXPECT_EQ(container_options(config, "/bin/helper").environment, config.agent.env);
  config.agent.upstreams = {"own"};
  EXPECT_THAT(container_options(config, "/bin/helper").environment,
              ElementsAre(Pair("BASE", "http://127.0.0.1:81/own/v1"), Pair("KEY", "placeholder")));
  config.agent.connect = {"github.com"};
  config.agent.env = {{"https_proxy", "own"}};
  config.container.enabled = true;
  config.container.network_mode = "bridge";  // such an agent needs no way out
  EXPECT_EQ(container_options(config, "/bin/helper").environment, config.agent.env);
  config.container.network_mode = "none";
  EXPECT_THAT(container_options(config, "/bin/helper").environment,
              ElementsAre(Pair("https_proxy", "own"), Pair("HTTPS_PROXY", "http://127.0.0.1:81")));
  EXPECT_THAT(process_options(config, "demo").upstreams, ElementsAre("own"));
}

// Filled in when there is a session (egress/agent_address.hpp).
TEST(ProcessOptions, LeaveOpenWhereThePresetFindsItsUpstream) {
  const Config config = config::load_text(
                            "egress: {upstreams: {anthropic: {credential: {value: sk-1234}}}}\n"
                            "agent: {preset: claude}",
                            "c.yaml", {})
                            .config;
  const ProcessOptions options = process_options(config, "");
  EXPECT_EQ(options.command, "claude-agent-acp");
  EXPECT_THAT(options.upstreams, ElementsAre("anthropic"));
  EXPECT_THAT(options.env,
              ::testing::IsSupersetOf(NameValues{{"ANTHROPIC_BASE_URL", "{upstream:anthropic}"},
                                                 {"ANTHROPIC_API_KEY", "{upstream_key}"}}));
}

TEST(ReachedNames, AreOfAllAgents) {
  Config config;
  config.agent.upstreams = {"b", "a"};
  config.agents.resize(1);
  config.agents[0].agent.upstreams = {"c", "a"};
  config.agents[0].agent.connect = {"*.npmjs.org"};
  EXPECT_THAT(reached_names(config), ElementsAre("*.npmjs.org:443", "a", "b", "c"));
  EXPECT_THAT(reached_names(Config()), IsEmpty());
}

TEST(SessionOptions, TakeTheTimesOfTheIsolationInForce) {
  Config config;
  config.agent.startup_timeout = milliseconds(1);
  config.agent.stop_grace = milliseconds(2);
  config.container.startup_timeout = milliseconds(3);
  config.container.shutdown_timeout = milliseconds(4);
  const SessionOptions process = session_options(config, Isolation::kProcess);
  EXPECT_EQ(process.startup_timeout, milliseconds(1));
  EXPECT_EQ(process.stop_grace, milliseconds(2));
  const SessionOptions contained = session_options(config, Isolation::kContainer);
  EXPECT_EQ(contained.startup_timeout, milliseconds(3));
  EXPECT_EQ(contained.stop_grace, milliseconds(4));
  EXPECT_EQ(contained.cancel_grace, milliseconds(2));
}

TEST(ContainerOptions, CarryTheBlock) {
  Config config;
  config.agent.env = {{"KEY", "value"}};
  config.agent.max_stderr_bytes = 1;
  config.server.max_message_bytes = 2;
  config::ContainerConfig& block = config.container;
  block.image = "agents/mine:1";
  block.readonly_rootfs = true;
  block.home = config::HomeMode::kTmpfs;
  block.pull_policy = config::PullPolicy::kNever;
  block.extra_volumes = {"/data:/data:z", "cache:/cache:rw"};
  block.selinux_label = config::SelinuxLabel::kPrivate;
  block.pids_limit = 3;
  const ContainerOptions options = container_options(config, "/bin/helper");
  EXPECT_EQ(options.environment, config.agent.env);
  EXPECT_EQ(options.max_stderr_bytes, 1u);
  EXPECT_EQ(options.max_line_bytes, 2u);
  EXPECT_EQ(options.image, "agents/mine:1");
  EXPECT_EQ(options.tmpfs, config::effective_tmpfs(block));
  EXPECT_FALSE(options.tmpfs.empty()) << "a read-only root needs some room";
  EXPECT_EQ(options.home, ContainerHome::kTmpfs);
  EXPECT_EQ(options.pull_policy, ImagePull::kNever);
  ASSERT_EQ(options.extra_volumes.size(), 2u);
  EXPECT_TRUE(options.extra_volumes[0].read_only);
  EXPECT_EQ(options.extra_volumes[0].label, MountLabel::kShared);
  EXPECT_EQ(options.extra_volumes[1].label, MountLabel::kNone);
  EXPECT_EQ(options.selinux_label, MountLabel::kPrivate);
  EXPECT_EQ(options.extra_volumes[1].source, "cache");
  EXPECT_FALSE(options.extra_volumes[1].read_only);
  EXPECT_EQ(options.pids_limit, 3);
  EXPECT_EQ(options.helper_program, "/bin/helper");
}

}  // namespace
}  // namespace relay::app
