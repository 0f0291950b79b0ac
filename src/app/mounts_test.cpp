#include "app/mounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace relay::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DangerousMountTest : public testing::Test {
 protected:
  DangerousMountTest() {
    char name[] = "/tmp/relay-mounts-XXXXXX";
    directory_ = ::mkdtemp(name);
    for (const char* below : {"workspaces", "projects", "state"}) {
      fs::create_directory(directory_ + "/" + below);
    }
    config_.container.workspace_base_dir = directory_ + "/workspaces";
    config_.database.path = directory_ + "/state/relay.db";
  }
  ~DangerousMountTest() override { fs::remove_all(directory_); }

  std::string link(const std::string& target) {
    const std::string path = directory_ + "/link";
    fs::remove(path);
    fs::create_symlink(target, path);
    return path;
  }

  std::string directory_;
  config::Config config_;
};

TEST_F(DangerousMountTest, IsFoundBehindALink) {
  fs::remove(directory_ + "/workspaces");  // made only later, by the relay
  const std::string targets[] = {directory_ + "/workspaces", directory_ + "/state", "/etc",
                                 directory_};
  for (const std::string& target : targets) {
    config_.container.mount_roots = {link(target)};
    config_.container.extra_volumes.clear();
    auto failure = dangerous_mount(config_, "");
    ASSERT_TRUE(failure) << target;
    EXPECT_THAT(failure->explanation, HasSubstr("container.mount_roots: ")) << target;
    EXPECT_THAT(failure->explanation, HasSubstr("which leads to " + target)) << target;
    config_.container.mount_roots.clear();
    config_.container.extra_volumes = {link(target) + ":/x:rw"};
    failure = dangerous_mount(config_, "");
    ASSERT_TRUE(failure) << target;
    EXPECT_THAT(failure->explanation, HasSubstr("container.extra_volumes: ")) << target;
    config_.container.allow_unsafe = true;
    EXPECT_FALSE(dangerous_mount(config_, "")) << target;
    config_.container.allow_unsafe = false;
  }
}

TEST_F(DangerousMountTest, IsTheSocketOfTheEngineInUse) {
  config_.container.mount_roots = {directory_ + "/projects"};
  EXPECT_FALSE(dangerous_mount(config_, ""));
  EXPECT_FALSE(dangerous_mount(config_, directory_ + "/engine.sock"));
  EXPECT_TRUE(dangerous_mount(config_, directory_ + "/projects/engine.sock"));
  config_.container.mount_roots = {link(directory_ + "/projects")};
  EXPECT_FALSE(dangerous_mount(config_, ""));
  EXPECT_TRUE(dangerous_mount(config_, directory_ + "/link/engine.sock"));
}

}  // namespace
}  // namespace relay::app
