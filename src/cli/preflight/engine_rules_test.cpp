#include "cli/preflight/engine_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli::preflight {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Error no_engine() {
  return make_error(ErrorType::kDockerNotAvailable, "there is no Engine")
      .because("it does not run")
      .suggest("systemctl status docker")
      .suggest("journalctl -u docker -n 50")
      .suggest("docker info");
}

EngineSurroundings around(SocketState socket) {
  EngineSurroundings made;
  made.socket = socket;
  made.socket_path = "/var/run/docker.sock";
  made.user = "ada";
  made.has_systemd = true;
  return made;
}

std::vector<std::string> remedies(const EngineSurroundings& surroundings) {
  return engine_missing(no_engine(), surroundings, Fallback::kNone).remedies;
}

TEST(PreflightEngineMissing, HasTheRemedyOfTheMachine) {
  EngineSurroundings missing = around(SocketState::kMissing);
  EXPECT_THAT(remedies(missing), Contains(HasSubstr("docs.docker.com")));
  missing.install = "sudo apt-get install docker.io";
  EXPECT_THAT(remedies(missing), Contains("sudo apt-get install docker.io"));
  missing.is_installed = true;
  EXPECT_EQ(remedies(missing).front(), "sudo systemctl start docker");
  missing.has_systemd = false;
  EXPECT_EQ(remedies(missing).front(), "sudo dockerd &");
  missing.other_sockets = {"/run/user/7/docker.sock"};
  EXPECT_THAT(
      remedies(missing).front(),
      HasSubstr("container.docker_host (or DOCKER_HOST) to unix:///run/user/7/docker.sock"));
}

TEST(PreflightEngineMissing, SaysHowToBePermitted) {
  EngineSurroundings forbidden = around(SocketState::kForbidden);
  EXPECT_THAT(remedies(forbidden).front(), HasSubstr("groupadd -f docker"));
  forbidden.socket_group = "root";
  EXPECT_THAT(remedies(forbidden), Each(Not(HasSubstr("usermod"))));
  forbidden.socket_group = "docker";
  EXPECT_EQ(remedies(forbidden).front(), "sudo usermod -aG docker ada, then log in again");
  forbidden.group_is_new = true;
  EXPECT_THAT(remedies(forbidden).front(), HasSubstr("newgrp docker"));
  EXPECT_THAT(remedies(forbidden), Contains(HasSubstr("rootless")));
}

TEST(PreflightEngineMissing, NamesNoServiceManagerThatIsNotThere) {
  EngineSurroundings usable = around(SocketState::kUsable);
  EXPECT_EQ(remedies(usable), no_engine().suggested_actions);
  usable.has_systemd = false;
  EXPECT_THAT(remedies(usable), AllOf(Each(Not(HasSubstr("systemctl"))), Contains("docker info"),
                                      Contains(HasSubstr("sudo dockerd"))));
  // What runs on another machine is not this one's to judge.
  EngineSurroundings remote = around(SocketState::kNone);
  remote.has_systemd = false;
  EXPECT_EQ(remedies(remote), no_engine().suggested_actions);
}

TEST(PreflightEngineMissing, IsAWarningWhereProcessesMayStandIn) {
  const auto verdict = [](Fallback fallback) {
    return engine_missing(no_engine(), around(SocketState::kMissing), fallback).verdict;
  };
  EXPECT_EQ(verdict(Fallback::kNone), Verdict::kBad);
  EXPECT_EQ(verdict(Fallback::kProcesses), Verdict::kWarning);
}

TEST(PreflightEngine, TellsWarningsThatConcernAgents) {
  engine::EngineInfo info;
  info.warnings = {"WARNING: No blkio throttle support", "WARNING: IPv4 forwarding is disabled"};
  EXPECT_EQ(engine_finding("Docker", info, "none").verdict, Verdict::kGood);
  EXPECT_EQ(engine_finding("Docker", info, "host").verdict, Verdict::kGood);
  EXPECT_EQ(engine_finding("Docker", info, "bridge").verdict, Verdict::kWarning);
  info.warnings = {"WARNING: API is accessible on http://0.0.0.0:2375 without encryption."};
  const Finding open = engine_finding("Docker", info, "none");
  EXPECT_EQ(open.verdict, Verdict::kWarning);
  EXPECT_THAT(open.remedies, Contains(HasSubstr("Unix socket")));
}

TEST(PreflightLimits, HoldOrAreNamed) {
  ContainerOptions options;
  options.memory_limit = 1u << 30;
  options.cpu_limit = 2;
  options.pids_limit = 100;
  engine::EngineInfo info;
  info.cgroup_version = "2";
  info.cgroup_driver = "systemd";
  info.memory_limit = info.swap_limit = info.cpu_cfs_quota = info.pids_limit = true;
  info.cpus = 2;
  const Finding good = limits_finding("limits", options, info);
  EXPECT_EQ(good.verdict, Verdict::kGood);
  EXPECT_THAT(good.told, HasSubstr("cgroup v2 by systemd"));
  EXPECT_THAT(good.remedies, IsEmpty());

  info.pids_limit = false;
  const Finding ignored = limits_finding("limits", options, info);
  EXPECT_EQ(ignored.verdict, Verdict::kWarning);
  EXPECT_THAT(ignored.told, HasSubstr("container.pids_limit has no effect"));
  EXPECT_THAT(ignored.remedies, Contains(HasSubstr("control group")));

  options.pids_limit = 0;
  options.cpu_limit = 4;
  const Finding fewer = limits_finding("limits", options, info);
  EXPECT_EQ(fewer.verdict, Verdict::kWarning);
  EXPECT_THAT(fewer.remedies, Contains("set container.cpu_limit to 2 or less"));

  options.runtime = "runsc";
  info.runtimes = {"runc"};
  const Finding missing = limits_finding("limits", options, info);
  EXPECT_EQ(missing.verdict, Verdict::kBad);
  EXPECT_THAT(missing.remedies, Contains(HasSubstr("container.runtime")));
}

TEST(PreflightImage, IsThereOrPulledOrMissing) {
  ContainerOptions options;
  options.image = "agent:1";
  engine::ImageFacts facts;
  facts.id = "sha256:0123456789abcdef";
  facts.size = 3 << 20;
  const Finding there = image_finding("image", options, facts);
  EXPECT_EQ(there.verdict, Verdict::kGood);
  EXPECT_EQ(there.told, "agent:1, 3M (sha256:0123456789ab)");
  options.pull_policy = ImagePull::kAlways;
  EXPECT_THAT(image_finding("image", options, facts).told, HasSubstr("pulls it anew"));

  const Error missing = make_error(ErrorType::kImageNotFound, "no image").suggest("docker pull");
  const Finding pulled = image_finding("image", options, missing);
  EXPECT_EQ(pulled.verdict, Verdict::kWarning);
  EXPECT_THAT(pulled.told, HasSubstr("within 600 s"));
  options.pull_policy = ImagePull::kNever;
  EXPECT_EQ(image_finding("image", options, missing).verdict, Verdict::kBad);
  options.pull_policy = ImagePull::kMissing;
  EXPECT_EQ(image_finding("image", options, no_engine()).verdict, Verdict::kBad);
}

}  // namespace
}  // namespace relay::cli::preflight
