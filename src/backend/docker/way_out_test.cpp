#include "backend/docker/way_out.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WayOutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directories_.root);
    egress_.init_program = base_ + "/init";
    std::ofstream(egress_.init_program) << "program";
  }
  void TearDown() override { fs::remove_all(base_); }

  const std::string base_ = ::testing::TempDir() + "relay_way_out_" + std::to_string(::getpid());
  const SessionDirectories directories_ = session_directories(base_, SessionId("s"));
  ContainerEgress egress_;
};

TEST_F(WayOutTest, IsTheRelaysAloneAndPassesTheAgentOn) {
  EXPECT_FALSE(has_way_out(directories_));
  ASSERT_TRUE(make_way_out(directories_, egress_));
  EXPECT_EQ(fs::status(directories_.egress).permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status(directories_.door).permissions(), fs::perms(0711));
  EXPECT_EQ(fs::status(directories_.door + "/acp-agent-init").permissions(), fs::perms(0755));
  EXPECT_TRUE(has_way_out(directories_));
}

TEST_F(WayOutTest, IsMadeAnewWithTheProgramOfNow) {
  ASSERT_TRUE(make_way_out(directories_, egress_));
  std::ofstream(egress_.init_program) << "newer program";
  ASSERT_TRUE(make_way_out(directories_, egress_));
  EXPECT_EQ(fs::file_size(directories_.door + "/acp-agent-init"), 13U);
  std::ofstream(way_out_socket(directories_)) << "";
  std::ofstream(directories_.door + "/acp-agent-init.new99") << "of an attempt that was given up";
  EXPECT_EQ(remove_way_out(directories_), 0);
  EXPECT_FALSE(fs::exists(directories_.egress));
  EXPECT_EQ(remove_way_out(directories_), 0);
}

// As on a disk that is full.
TEST_F(WayOutTest, GoesOnWithTheProgramThatIsThereWhereNoneCanBeCopied) {
  ASSERT_TRUE(make_way_out(directories_, egress_));
  egress_.init_program = "/dev/full";  // a device is not copied
  ASSERT_TRUE(make_way_out(directories_, egress_));
  EXPECT_EQ(fs::file_size(directories_.door + "/acp-agent-init"), 7U);
  const auto inside = fs::directory_iterator(directories_.door);
  EXPECT_EQ(std::distance(begin(inside), end(inside)), 1) << "nothing of the copy is left";
  EXPECT_EQ(remove_way_out(directories_), 0);
}

TEST_F(WayOutTest, SaysWhatItLacks) {
  egress_.init_program = "/nowhere/acp-agent-init";
  const auto made = make_way_out(directories_, egress_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_THAT(made.error().explanation, HasSubstr("/nowhere/acp-agent-init"));
  EXPECT_EQ(make_way_out(session_directories("/nowhere", SessionId("s")), egress_).error().type,
            ErrorType::kWorkspaceUnavailable);
}

struct Place {
  const char* name;
  engine::EngineInfo engine;
  std::string runtime;
  bool by_socket;
  EgressCarrier carrier;
};

class Carriers : public ::testing::TestWithParam<Place> {};

TEST_P(Carriers, AreChosenByWhatTheEngineIs) {
  ContainerOptions options;
  options.runtime = GetParam().runtime;
  EXPECT_EQ(carrier_for(options, GetParam().engine, "6.1.0-amd64", GetParam().by_socket),
            GetParam().carrier);
}

engine::EngineInfo engine_with(const std::string& kernel, std::vector<std::string> security = {},
                               std::string runtime = "runc") {
  engine::EngineInfo info;
  info.kernel_version = kernel;
  info.security_options = std::move(security);
  info.default_runtime = std::move(runtime);
  return info;
}

constexpr auto kOwn = "6.1.0-amd64";

INSTANTIATE_TEST_SUITE_P(
    Table, Carriers,
    ::testing::Values(
        Place{"here", engine_with(kOwn), "", true, EgressCarrier::kUnix},
        Place{"unknown_kernel", engine_with(""), "", true, EgressCarrier::kUnix},
        Place{"crun", engine_with(kOwn), "crun", true, EgressCarrier::kUnix},
        Place{"other_confinement", engine_with(kOwn, {"name=seccomp", "name=apparmor"}), "", true,
              EgressCarrier::kUnix},
        Place{"selinux", engine_with(kOwn, {"name=seccomp", "name=selinux"}), "", true,
              EgressCarrier::kStdio},
        Place{"another_machine", engine_with(kOwn), "", false, EgressCarrier::kStdio},
        Place{"virtual_machine", engine_with("6.10.14-linuxkit"), "", true, EgressCarrier::kStdio},
        Place{"gvisor", engine_with(kOwn), "runsc", true, EgressCarrier::kStdio},
        Place{"kata_by_default", engine_with(kOwn, {}, "io.containerd.kata.v2"), "", true,
              EgressCarrier::kStdio},
        Place{"kata_not_used", engine_with(kOwn, {}, "kata-runtime"), "runc", true,
              EgressCarrier::kUnix}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CarrierCommand, ListensWhereTheFirstProgramConnects) {
  ContainerEgress egress;
  egress.max_connections = 9;
  egress.carrier = EgressCarrier::kStdio;
  EXPECT_THAT(init_arguments(egress, {"agent", "--acp"}),
              ElementsAre("/acp-relay/acp-agent-init", "--listen", "127.0.0.1:9180", "--socket",
                          "@acp-relay", "--max-connections", "9", "--", "agent", "--acp"));
  EXPECT_THAT(carrier_command(9), ElementsAre("/acp-relay/acp-agent-init", "--carry", "@acp-relay",
                                              "--max-connections", "9"));
}

}  // namespace
}  // namespace relay
