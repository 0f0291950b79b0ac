#include "backend/docker/way_out.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;
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
  EXPECT_EQ(remove_way_out(directories_), 0);
  EXPECT_FALSE(fs::exists(directories_.egress));
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

}  // namespace
}  // namespace relay
