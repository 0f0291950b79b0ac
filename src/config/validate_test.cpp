#include "config/validate.hpp"

#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::config {
namespace {

using ::testing::HasSubstr;

struct Row {
  std::string text;
  std::string expected;  // part of the first problem; empty: the text is right
};

void expect_problems(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const LoadResult result = load_text(row.text, "c.yaml", {});
    if (row.expected.empty()) {
      EXPECT_TRUE(result.ok()) << row.text << "\n"
                               << (result.ok() ? "" : describe(result.problems[0]));
      continue;
    }
    ASSERT_FALSE(result.ok()) << row.text;
    EXPECT_THAT(describe(result.problems[0]), HasSubstr(row.expected)) << row.text;
  }
}

TEST(Validate, ChecksTheServer) {
  expect_problems({
      {"server: {http_port: 0, websocket_port: 0, management_port: 0}", ""},
      {"server: {http_port: 8081}", "server.websocket_port: port 8081 is also server.http_port"},
      {"server: {http_port: 8081, http_host: 127.0.0.2}", ""},
      {"server: {http_port: 8081, http_host: 0.0.0.0}", "is also server.http_port"},
      {"server: {http_host: }", "server.http_host: not an address"},
      {"server: {http_host: 'a b'}", "server.http_host: not an address"},
      {"server: {tls: {cert: /a}}", "server.tls.cert: server.tls.key is missing"},
      {"server: {tls: {key: /a}}", "server.tls.key: server.tls.cert is missing"},
      {"server: {allowed_origins: ['https://a', 'a.org']}",
       "c.yaml:1:41: server.allowed_origins[1]"},
      {"server: {allowed_origins: ['https://a/']}", "not an origin"},
      {"server: {max_bodies_bytes: 1M}", "server.max_bodies_bytes"},
      {"server: {max_message_bytes: 128M}", "less than server.max_message_bytes"},
      {"server: {max_message_bytes: 128M, max_outbox_bytes: 128M}\nagent: {max_inbox_bytes: 128M}",
       ""},
      {"database: {path: }", "database.path: empty"},
      {"database: {path: , enabled: false}", ""},
      {"database: {path: $XDG_DATA_HOME/acp-relay/log.db}",
       "database.path: the path is not expanded as a shell does it; write "
       "${XDG_DATA_HOME}/acp-relay/log.db"},
      {"database: {path: ~/log.db}", "write ${HOME}/log.db"},
      {"database: {path: /data/a$/b$$1.db}", ""},
      {"container: {workspace_base_dir: /srv/$USER/w}", "write /srv/${USER}/w"},
      {"server: {allowed_origins: ['null']}", ""},
      {"server: {acp_aliases: []}", ""},
      {"server: {acp_aliases: [/acp/ws, /rpc.v1]}", ""},
      {"server: {acp_aliases: [/acp, /]}", "server.acp_aliases[1]"},
      {"server: {acp_aliases: [message]}", "not a path that can lead to /acp"},
      {"server: {acp_aliases: [/session/new]}", "server.acp_aliases[0]"},
      {"server: {acp_aliases: [/agents/a/acp]}", "server.acp_aliases[0]"},
      {"server: {acp_aliases: ['/a b']}", "server.acp_aliases[0]"},
      {"server: {acp_aliases: ['/a?b']}", "server.acp_aliases[0]"},
      {"agent: {args: [a]}", "agent.args: arguments without agent.command"},
      {"agent: {env: {'A B': 1}}", "agent.env.A B: not a name"},
      {"agent: {client_env: [GOOD, 1BAD]}", "agent.client_env[1]: not a name"},
      {"agent: {env: {A: b}, plain_env: [A]}", ""},
      {"agent: {env: {A: b}, plain_env: [A], secret_env: [A]}",
       "agent.plain_env: A is also in secret_env"},
  });
}

TEST(Validate, ChecksTokens) {
  const std::string hash(64, 'a');
  expect_problems({
      {"auth: {tokens: [{name: a, token: sixteen-or-more-chars}]}", ""},
      {"auth: {tokens: [{name: a, sha256: " + hash + "}]}", ""},
      {"auth: {tokens: [{name: a}]}", "auth.tokens[0]: neither token nor sha256"},
      {"auth: {tokens: [{name: a, token: '${NOT_SET}'}]}",
       "auth.tokens[0]: neither token nor sha256"},
      {"auth: {tokens: [{name: a, token: t, sha256: " + hash + "}]}", "both token and sha256"},
      {"auth: {tokens: [{token: t}]}", "the name is missing"},
      {"auth: {tokens: [{name: a, token: 'a b'}]}", "auth.tokens[0].token: a token has no spaces"},
      {"auth: {tokens: [{name: a, sha256: abc}]}",
       "auth.tokens[0].sha256: not 64 hexadecimal digits"},
      {"auth: {tokens: [{name: a, token: t, role: root}]}",
       "auth.tokens[0].role: \"root\" is not a choice"},
      {"auth: {tokens: [{name: a, tokn: t}]}", "auth.tokens[0]: unknown key; did you mean token?"},
      {"auth: {tokens: [{name: a, token: t}, {name: a, token: u}]}",
       "another token has the same name"},
      {"auth: {tokens: [{name: a, token: t}, {name: b, token: t}]}",
       "the same token is there twice"},
  });
}

TEST(Validate, ChecksContainers) {
  expect_problems({
      {"container: {image: }", "container.image: not the name"},
      {"container: {image: '--privileged'}", "container.image: not the name"},
      {"container: {image: 'registry.example.org:5000/a/b:1@sha256:00'}", ""},
      {"container: {memory_limit: 1M}", "container.memory_limit: less than 6M"},
      {"container: {memory_limit: 0, cpu_limit: 0, pids_limit: 0}", ""},
      {"container: {cpu_limit: 0.001}", "container.cpu_limit: less than 0.01"},
      {"container: {ulimits: {nofile: 1024, core: '0:0', memlock: -1, nproc: '10:20'}}", ""},
      {"container: {ulimits: {nofile: '20:10'}}", "container.ulimits.nofile: not a limit"},
      {"container: {ulimits: {nofiles: 1}}", "did you mean nofile?"},
      {"container: {network_mode: my-net_1}", ""},
      {"container: {network_mode: 'a b'}", "container.network_mode: not a network"},
      {"container: {network_mode: }", "container.network_mode: not a network"},
      {"container: {tmpfs: ['/tmp:size=64m', /run]}", ""},
      {"container: {tmpfs: [tmp]}", "container.tmpfs[0]"},
      {"container: {tmpfs: [/workspace/x]}", "container.tmpfs[0]"},
      {"container: {drop_capabilities: [ALL, CAP_NET_RAW, sys_admin]}", ""},
      {"container: {drop_capabilities: [NET_RAV]}", "did you mean NET_RAW?"},
      {"container: {security_opt: [no-new-privileges, 'no-new-privileges:true', seccomp=default, "
       "seccomp=/p.json, apparmor=docker-default, 'label=type:x']}",
       ""},
      {"container: {security_opt: [seccomp=p.json]}",
       "container.security_opt[0]: not a seccomp profile"},
      {"container: {security_opt: [privileged]}",
       "container.security_opt[0]: not a security option"},
      {"container: {user: '1000:1000', runtime: runsc, log_driver: local}", ""},
      {"container: {user: 'a b'}", "container.user: not a user"},
      {"container: {user: 'a:'}", "container.user: not a user"},
      {"container: {workspace_base_dir: ./w}",
       "container.workspace_base_dir: not an absolute path"},
      {"container: {workspace_base_dir: /, allow_unsafe: true}", "container.workspace_base_dir"},
      {"container: {mount_roots: [src]}", "container.mount_roots[0]: not an absolute path"},
      {"container: {mount_roots: [/home/dev/src]}", ""},
      {"container: {labels: {acp.session: x}}", "container.labels.acp.session"},
      {"container: {docker_host: 'ssh://host'}", "container.docker_host: neither"},
      {"container: {docker_host: 'tcp://host:2376'}", ""},
      {"container: {log_opts: {max-size: 1m}, log_driver: }", "container.log_driver"},
  });
}

TEST(Validate, ChecksTheFormOfVolumes) {
  expect_problems({
      {"container: {extra_volumes: ['/usr/share/docs:/docs', '/a:/b:ro', '/a:/c:rw', 'cache:/d']}",
       ""},
      {"container: {extra_volumes: ['/etc/ssl/certs:/etc/ssl/certs:ro']}", ""},
      {"container: {extra_volumes: ['/a']}", "not a volume"},
      {"container: {extra_volumes: ['/a:']}", "not a volume"},
      {"container: {extra_volumes: [':/a']}", "not a volume"},
      {"container: {extra_volumes: ['a/b:/c']}", "not a volume"},
      {"container: {extra_volumes: ['./a:/c']}", "not a volume"},
      {"container: {extra_volumes: ['/a:b']}", "not a volume"},
      {"container: {extra_volumes: ['/a:/b:x']}", "not a volume"},
      {"container: {extra_volumes: ['/a:/b:ro:z']}", "not a volume"},
      {"container: {extra_volumes: ['/a:/b:ro,rw']}", "not a volume"},
      {"container: {extra_volumes: ['/a:/b:z,Z']}", "not a volume"},
      {"container: {extra_volumes: ['/a:/b:z,']}", "not a volume"},
      {"container: {extra_volumes: ['/a:/b:z', '/a:/c:ro,Z', 'cache:/d:Z,rw']}", ""},
      {"container: {selinux_label: private}", ""},
      {"container: {selinux_label: private, workspace_base_dir: '/a:b'}", "has a colon in it"},
      {"container: {extra_volumes: ['/a:/workspace/b']}", "can't be mounted over"},
      {"container: {extra_volumes: ['/a:/b/..']}", "can't be mounted over /"},
      {"container: {extra_volumes: ['/a:/x', '/b:/y', 'cache:/x/']}",
       "container.extra_volumes[2]: another volume or a tmpfs is at /x already"},
      {"container: {extra_volumes: ['/a:/x'], tmpfs: ['/x:size=1m']}", "is at /x already"},
      {"container: {extra_volumes: ['/a:/tmp'], readonly_rootfs: true}", "is at /tmp already"},
      {"container: {extra_volumes: ['/a:/tmp'], readonly_rootfs: true, tmpfs: [/run]}", ""},
      {"container: {extra_volumes: ['/a:/x', '/b:/x/y']}", ""},
  });
  EXPECT_EQ(parse_volume("/a:/b"), (Volume{"/a", "/b", true}));
  EXPECT_EQ(parse_volume("/a:/b:rw"), (Volume{"/a", "/b", false}));
  EXPECT_EQ(parse_volume("/a:/b:z"), (Volume{"/a", "/b", true, SelinuxLabel::kShared}));
  EXPECT_EQ(parse_volume("a1:/b:rw,Z"), (Volume{"a1", "/b", false, SelinuxLabel::kPrivate}));
}

TEST(Validate, RefusesDangerousContainersUnlessTheyAreAccepted) {
  const std::vector<std::string> values{
      "network_mode: host",
      "network_mode: 'container:db'",
      "security_opt: [seccomp=unconfined]",
      "security_opt: ['apparmor:unconfined']",
      "security_opt: [label=disable]",
      "security_opt: [systempaths=unconfined]",
      "extra_volumes: ['/:/host']",
      "extra_volumes: ['/usr/..:/host:ro']",
      "extra_volumes: ['//:/host:ro']",
      "extra_volumes: ['/var/run/docker.sock:/var/run/docker.sock']",
      "extra_volumes: ['/run:/run']",
      "extra_volumes: ['/srv/docker.sock:/s']",
      "extra_volumes: ['/proc:/p']",
      "extra_volumes: ['/sys/fs/cgroup:/c']",
      "extra_volumes: ['/dev/sda:/d']",
      "extra_volumes: ['/var/lib:/v']",
      "extra_volumes: ['/etc:/e']",
      "extra_volumes: ['/root:/r']",
      "mount_roots: [/]",
      "mount_roots: [/var]",
      "docker_host: 'unix:///srv/e/engine.sock', extra_volumes: ['/srv/e:/x']",
  };
  for (const std::string& value : values) {
    const LoadResult refused = load_text("container: {" + value + "}", "c.yaml", {});
    ASSERT_EQ(refused.problems.size(), 1u) << value;
    EXPECT_THAT(describe(refused.problems[0]), HasSubstr("unsafe: ")) << value;
    EXPECT_THAT(describe(refused.problems[0]), HasSubstr("container.allow_unsafe: true")) << value;
    const LoadResult accepted =
        load_text("container: {allow_unsafe: true, " + value + "}", "c.yaml", {});
    EXPECT_TRUE(accepted.ok()) << value;
    EXPECT_EQ(accepted.warnings.size(), 1u) << value;
  }
}

TEST(Validate, WarnsOfWhatWorksButIsHardlyMeant) {
  const std::vector<Row> rows{
      {"server: {http_host: 0.0.0.0}", "auth.tokens: a token is needed and none is configured"},
      {"auth: {mode: token}", "auth.tokens: a token is needed and none is configured"},
      {"server: {websocket_host: '::'}\nauth: {mode: none}", "reachable from other machines"},
      {"server: {management_host: 0.0.0.0}\nauth: {tokens: [{name: a, token: "
       "sixteen-or-more-chars}]}",
       "no token has the role operator"},
      {"auth: {tokens: [{name: a, token: short}]}", "shorter than 16 characters"},
      {"agent: {command: 'npx foo'}", "agent.command: has a space"},
      {"agent: {command: npx, args: [foo]}", "agent.args: npx asks"},
      {"agents: {a: {command: /usr/bin/npx, args: [foo]}}", "put \"--yes\" in front"},
      {"container: {required: true}", "no effect while container.enabled is false"},
      {"container: {enabled: true, log_driver: none}", "while no relay runs is lost"},
  };
  for (const Row& row : rows) {
    const LoadResult result = load_text(row.text, "c.yaml", {});
    EXPECT_TRUE(result.ok()) << row.text;
    ASSERT_EQ(result.warnings.size(), 1u) << row.text;
    EXPECT_THAT(describe(result.warnings[0]), HasSubstr(row.expected)) << row.text;
  }
}

TEST(Validate, NeedsATokenOffLoopback) {
  for (const char* host :
       {"127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
    EXPECT_FALSE(token_needed(AuthMode::kAuto, host)) << host;
    EXPECT_TRUE(token_needed(AuthMode::kToken, host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "192.168.1.1", "127.1", "127.0.0.256",
                           "localhost.example", "127.0.0.1.example.org", "[]", "example.org", ""}) {
    EXPECT_FALSE(is_loopback(host)) << host;
    EXPECT_TRUE(token_needed(AuthMode::kAuto, host)) << host;
    EXPECT_FALSE(token_needed(AuthMode::kNone, host)) << host;
  }
}

TEST(EffectiveTmpfs, ServesAReadOnlyRoot) {
  ContainerConfig container;
  EXPECT_TRUE(effective_tmpfs(container).empty());
  container.readonly_rootfs = true;
  EXPECT_EQ(effective_tmpfs(container), (Strings{"/tmp", "/run", "/var/tmp"}));
  container.tmpfs = {"/scratch"};
  EXPECT_EQ(effective_tmpfs(container), Strings{"/scratch"});
}

}  // namespace
}  // namespace relay::config
