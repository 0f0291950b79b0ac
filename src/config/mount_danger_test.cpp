#include "config/mount_danger.hpp"

#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace relay::config {
namespace {

using ::testing::HasSubstr;

struct Mount {
  std::string path;
  Access access;
  std::string danger;  // part of it; empty: none
};

const std::vector<OwnPlace> kOwn{{"/srv/acp/workspaces", "the workspaces"},
                                 {"/srv/acp/state/relay.db", "the database", true},
                                 {"/srv/e/engine.sock", "the socket", true}};

TEST(MountDanger, KnowsWhatGivesTheHostOrTheRelayAway) {
  const Mount mounts[] = {
      {"/home/ada/src", Access::kWrite, ""},
      {"/srv/acp/projects", Access::kWrite, ""},
      {"/srv/acp/state/projects", Access::kWrite, ""},
      {"/srv/acp/workspaces-of-others", Access::kWrite, ""},
      {"/root/project", Access::kWrite, ""},
      {"/usr/local/src", Access::kWrite, ""},
      {"/etc/ssl/certs", Access::kRead, ""},
      {"/usr/share/doc", Access::kRead, ""},
      {"/usr", Access::kRead, ""},
      {"/", Access::kRead, "the whole file system"},
      {"/srv/..", Access::kRead, "the whole file system"},
      {"/run", Access::kRead, "gives control over the host"},
      {"/srv", Access::kRead, "holds the workspaces"},
      {"/srv/acp", Access::kWrite, "holds the workspaces"},
      {"/srv/acp/workspaces/", Access::kWrite, "is the relay's own: the workspaces"},
      {"/srv/acp/workspaces/sess_1/workspace", Access::kRead, "belongs to the workspaces"},
      {"/srv/acp/state", Access::kWrite, "holds the database"},
      {"/srv/acp/state/relay.db", Access::kRead, "is the relay's own: the database"},
      {"/srv/acp/state/relay.db-wal", Access::kWrite, "belongs to the database"},
      {"/srv/acp/state/relay.db.journal.1", Access::kRead, "belongs to the database"},
      {"/srv/e", Access::kWrite, "holds the socket"},
      {"/root", Access::kRead, "holds /root/.ssh"},
      {"/root/.ssh/authorized_keys", Access::kWrite, "lies in /root/.ssh"},
      {"/home/ada/.ssh", Access::kRead, "keys of ssh"},
      {"/etc", Access::kRead, "holds /etc/shadow"},
      {"/etc/shadow-", Access::kRead, "/etc/shadow-"},
      {"/etc/sudoers.d", Access::kRead, "/etc/sudoers.d"},
      {"/etc/ssh/ssh_host_rsa_key", Access::kRead, "lies in /etc/ssh"},
      {"/etc/cron.d", Access::kWrite, "which root of the host trusts"},
      {"/etc/ssl/certs", Access::kWrite, "which root of the host trusts"},
      {"/usr", Access::kWrite, "holds /usr/bin"},
      {"/usr/local/bin/tool", Access::kWrite, "lies in /usr/local/bin"},
      {"/var/spool", Access::kWrite, "holds /var/spool/cron"},
      {"/root/.profile", Access::kWrite, "settings of root"},
  };
  for (const Mount& mount : mounts) {
    const std::string danger = danger_of(mount.path, mount.access, kOwn);
    if (mount.danger.empty()) {
      EXPECT_EQ(danger, "") << mount.path;
    } else {
      EXPECT_THAT(danger, HasSubstr(mount.danger)) << mount.path;
    }
  }
}

TEST(MountDanger, ProtectsWhatTheConfigurationNames) {
  const std::string text =
      "database: {path: state/relay.db}\n"
      "server: {tls: {cert: /srv/tls/cert.pem, key: /srv/tls/key.pem}}\n"
      "container: {workspace_base_dir: /srv/one, docker_host: 'unix:///srv/e/engine'}\n";
  const std::string here = std::filesystem::current_path().string();
  const std::string roots[] = {"/srv/one", "/srv/one/sess_1", here + "/state", "/srv/tls",
                               "/srv/e"};
  for (const std::string& root : roots) {
    const Config config = load_text(text, "c.yaml", {}).config;
    EXPECT_NE(danger_of(root, Access::kWrite, own_places(config)), "") << root;
    const LoadResult of_agent = load_text(
        text + "agents: {other: {image: 'x:1', mount_roots: [" + root + "]}}", "c.yaml", {});
    ASSERT_EQ(of_agent.problems.size(), 1u) << root;
    EXPECT_THAT(describe(of_agent.problems[0]), HasSubstr("agents.other.mount_roots[0]: unsafe"));
  }
}

TEST(MountDanger, ProtectsTheFileOfTheConfiguration) {
  char directory[] = "/tmp/relay-config-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/c.yaml";
  std::ofstream(path) << "database: {path: /srv/relay.db}\ncontainer: {mount_roots: [" << directory
                      << "]}\n";
  const LoadResult loaded = load(path, {});
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_THAT(describe(loaded.problems[0]),
              HasSubstr("container.mount_roots[0]: unsafe: " + std::string(directory) +
                        ": holds the relay's configuration"));
  std::filesystem::remove_all(directory);
}

TEST(MountDanger, NeedsAllowUnsafe) {
  const std::string values[] = {
      "workspace_base_dir: /srv/acp/w, mount_roots: [/srv/acp]",
      "workspace_base_dir: /srv/acp/w, extra_volumes: ['/srv/acp/w:/all:rw']",
      "extra_volumes: ['/root/.ssh/authorized_keys:/k:rw']",
      "extra_volumes: ['/etc/sudoers.d:/s']",
      "extra_volumes: ['/etc/cron.d:/c:rw']",
      "mount_roots: [/usr]",
      "security_opt: ['no-new-privileges=false']",
      "security_opt: ['no-new-privileges:false', seccomp=default]",
  };
  for (const std::string& value : values) {
    const LoadResult refused = load_text("container: {" + value + "}", "c.yaml", {});
    ASSERT_EQ(refused.problems.size(), 1u) << value;
    EXPECT_THAT(describe(refused.problems[0]), HasSubstr("container.allow_unsafe: true")) << value;
    const LoadResult accepted =
        load_text("container: {allow_unsafe: true, " + value + "}", "c.yaml", {});
    EXPECT_TRUE(accepted.ok()) << value;
    EXPECT_EQ(accepted.warnings.size(), 1u) << value;
  }
}

}  // namespace
}  // namespace relay::config
