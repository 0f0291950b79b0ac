#include "backend/docker/workspace.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdlib.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

TEST(SessionDirectories, LieInOneOfTheSession) {
  const SessionDirectories found = session_directories("/base", SessionId("sess_1"));
  EXPECT_EQ(found.root, "/base/sess_1");
  EXPECT_EQ(found.workspace, "/base/sess_1/workspace");
  EXPECT_EQ(found.home, "/base/sess_1/home");
  EXPECT_EQ(found.hosts, "/base/sess_1/hosts");
  EXPECT_EQ(found.marker, "/base/sess_1/.acp-relay");
  EXPECT_EQ(found.door, "/base/sess_1/egress/door");
}

TEST(ChooseDirectory, TakesWhatLiesInTheWorkspace) {
  struct Case {
    std::string_view wanted, inside, subdirectory;
  };
  const Case cases[] = {
      {"/workspace", "/workspace", ""},
      {"/workspace/", "/workspace", ""},
      {"//workspace//", "/workspace", ""},
      {"/workspace/.", "/workspace", ""},
      {"/workspace/a", "/workspace/a", "a"},
      {"/workspace/a/b/", "/workspace/a/b", "a/b"},
      {"/workspace//a/./b/../c", "/workspace/a/c", "a/c"},
      {"/workspace/a/..", "/workspace", ""},
      {"/workspace/..data", "/workspace/..data", "..data"},
      {"/x/../workspace/a", "/workspace/a", "a"},
      {"/../workspace/a", "/workspace/a", "a"},
      {"/workspace/a b\xc3\xa4", "/workspace/a b\xc3\xa4", "a b\xc3\xa4"},
  };
  for (const Case& one : cases) {
    const WorkingDirectory chosen = choose_directory(one.wanted, {});
    EXPECT_EQ(chosen.inside, one.inside) << one.wanted;
    EXPECT_EQ(chosen.subdirectory, one.subdirectory) << one.wanted;
    EXPECT_EQ(chosen.host_mount, "") << one.wanted;
  }
}

TEST(ChooseDirectory, MeansTheWorkspaceForAnythingElse) {
  const std::string cases[] = {"",
                               ".",
                               "workspace/a",
                               "a",
                               "/",
                               "/etc",
                               "/workspaces",
                               "/workspace2/a",
                               "/workspace/..",
                               "/workspace/../etc",
                               "/workspace/a/../../etc",
                               "/not-there/at/all",
                               std::string("/workspace/a\0b", 14),
                               "/workspace/" + std::string(256, 'a'),
                               "/workspace/a/" + std::string(256, 'a') + "/b",
                               "/workspace" + [] {
                                 std::string deep;
                                 while (deep.size() < 1026) deep += "/a";
                                 return deep;
                               }()};
  for (const std::string& wanted : cases) {
    const WorkingDirectory chosen = choose_directory(wanted, {});
    EXPECT_EQ(chosen.inside, "/workspace") << wanted;
    EXPECT_EQ(chosen.subdirectory, "") << wanted;
    EXPECT_EQ(chosen.host_mount, "") << wanted;
  }
}

TEST(ChooseDirectory, TakesTheLongestWishThatCanBeMade) {
  const std::string name(255, 'a');
  const std::string wanted = "/workspace/" + name + "/" + name + "/" + name + "/" + name;
  EXPECT_EQ(choose_directory(wanted, {}).inside, wanted);
}

class MountRoots : public testing::Test {
 protected:
  MountRoots() {
    std::string name = (fs::temp_directory_path() / "roots-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    base_ = fs::canonical(name).string();
    for (const char* path : {"/root/project/src", "/rootless", "/outside/secret", "/second"}) {
      fs::create_directories(base_ + path);
    }
    std::ofstream(base_ + "/root/file") << "x";
    fs::create_directory_symlink(base_ + "/root/project", base_ + "/root/inner");
    fs::create_directory_symlink(base_ + "/outside", base_ + "/root/escape");
    fs::create_directory_symlink("../outside/secret", base_ + "/root/project/up");
    fs::create_directory_symlink(base_ + "/nowhere", base_ + "/root/dangling");
    fs::create_directory_symlink(base_ + "/root/loop", base_ + "/root/loop");
    fs::create_directory_symlink(base_ + "/root", base_ + "/alias");
  }
  ~MountRoots() override { fs::remove_all(base_); }

  // The directory of the host that is mounted, without the temporary directory's name.
  std::string mounted(const std::string& wanted, std::vector<std::string> roots) const {
    for (std::string& root : roots) root = base_ + root;
    const WorkingDirectory chosen = choose_directory(base_ + wanted, roots);
    EXPECT_EQ(chosen.subdirectory, "");
    if (chosen.host_mount.empty()) {
      EXPECT_EQ(chosen.inside, "/workspace") << wanted;
      return "";
    }
    EXPECT_EQ(chosen.inside, chosen.host_mount) << wanted;
    return chosen.host_mount.substr(base_.size());
  }

  std::string base_;
};

TEST_F(MountRoots, MountWhatReallyLiesInThem) {
  EXPECT_EQ(mounted("/root", {"/root"}), "/root");
  EXPECT_EQ(mounted("/root/project/src/", {"/root"}), "/root/project/src");
  EXPECT_EQ(mounted("/root/project/../project", {"/root/"}), "/root/project");
  EXPECT_EQ(mounted("/root/inner/src", {"/root"}), "/root/project/src");
  EXPECT_EQ(mounted("/alias/project", {"/root"}), "/root/project");
  EXPECT_EQ(mounted("/root/project", {"/alias"}), "/root/project");
  EXPECT_EQ(mounted("/second", {"/root", "/nowhere", "/second"}), "/second");
  EXPECT_EQ(mounted("/root/escape", {"/root", "/outside"}), "/outside");
}

TEST_F(MountRoots, MountNothingElse) {
  EXPECT_EQ(mounted("/root", {}), "");
  EXPECT_EQ(mounted("", {"/root"}), "");
  EXPECT_EQ(mounted("/rootless", {"/root"}), "");
  EXPECT_EQ(mounted("/outside", {"/root"}), "");
  EXPECT_EQ(mounted("/root/../outside", {"/root"}), "");
  EXPECT_EQ(mounted("/root/escape", {"/root"}), "");
  EXPECT_EQ(mounted("/root/escape/secret", {"/root"}), "");
  EXPECT_EQ(mounted("/root/project/up", {"/root"}), "");
  EXPECT_EQ(mounted("/root/dangling", {"/root"}), "");
  EXPECT_EQ(mounted("/root/loop", {"/root"}), "");
  EXPECT_EQ(mounted("/root/missing", {"/root"}), "");
  EXPECT_EQ(mounted("/root/file", {"/root"}), "");
  EXPECT_EQ(mounted("/root/project", {"/nowhere", "/root/file"}), "");
}

TEST_F(MountRoots, DoNotConcernTheWorkspace) {
  EXPECT_EQ(choose_directory("/workspace/a", {"/"}).host_mount, "");
  EXPECT_EQ(choose_directory(base_, {"/"}).host_mount, base_);
}

TEST(HostsFile, ResolvesLocalhostAndTheHostName) {
  const std::string text = hosts_file("acp-agent-1");
  EXPECT_NE(text.find("127.0.0.1\tlocalhost\n"), std::string::npos);
  EXPECT_NE(text.find("::1\tlocalhost "), std::string::npos);
  EXPECT_NE(text.find("127.0.1.1\tacp-agent-1\n"), std::string::npos);
  EXPECT_EQ(text.back(), '\n');
}

}  // namespace
}  // namespace relay
