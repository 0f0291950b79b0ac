#include "backend/docker/home_files.hpp"

#include "engine/tar.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

using engine::TarEntry;
using ::testing::ElementsAre;
using Kind = TarEntry::Kind;

TarEntry entry(Kind kind, std::string path, std::string target = {}) {
  TarEntry made;
  made.kind = kind;
  made.path = std::move(path);
  made.target = std::move(target);
  made.mode = kind == Kind::kDirectory ? 0750 : 0600;
  if (kind == Kind::kFile) made.content = "x";
  return made;
}

ContainerPlan plan_of(std::string home) {
  ContainerPlan plan;
  plan.user = {1000, 1001, std::move(home)};
  return plan;
}

// The paths that are left, links with where they lead.
std::vector<std::string> left(const std::vector<TarEntry>& image, const ContainerOptions& options,
                              const ContainerPlan& plan) {
  const auto files = files_for_home(engine::archive_of(image, {}), options, plan);
  EXPECT_TRUE(files);
  const std::string archive = files ? *files : "";
  std::vector<std::string> paths;
  engine::TarReader reader(archive);
  while (const auto found = reader.next()) {
    paths.push_back(found->target.empty() ? found->path : found->path + " -> " + found->target);
  }
  EXPECT_FALSE(reader.is_damaged());
  return paths;
}

const std::vector<TarEntry> kImage{
    entry(Kind::kDirectory, "./"),
    entry(Kind::kDirectory, "./.config/"),
    entry(Kind::kFile, "./.config/agent.json"),
    entry(Kind::kHardLink, "./.config/hard", "./.config/agent.json"),
    entry(Kind::kLink, "./cache", "/var/cache"),
    entry(Kind::kFile, ".profile"),  // Podman's way
};

TEST(FilesForHome, AreThoseOfTheImage) {
  EXPECT_THAT(left(kImage, {}, plan_of("/home/agent")),
              ElementsAre(".config", ".config/agent.json", ".config/hard -> .config/agent.json",
                          "cache -> /var/cache", ".profile"));
}

TEST(FilesForHome, BelongToTheUserAndKeepTheirModes) {
  std::vector<TarEntry> image{entry(Kind::kDirectory, "a"), entry(Kind::kFile, "a/b")};
  image[1].mode = 0640;
  image[1].time = 1700000000;
  const auto archive =
      files_for_home(engine::archive_of(image, {}), ContainerOptions(), plan_of("/home/agent"));
  ASSERT_TRUE(archive);
  image[0].path = "a";
  EXPECT_EQ(*archive, engine::archive_of(image, {1000, 1001}));
}

TEST(FilesForHome, AreNoneWhereTheImageHasNone) {
  const std::string nothing = engine::archive_of({entry(Kind::kDirectory, "./")}, {});
  for (const std::string& archive : {std::string(), nothing}) {
    const auto files = files_for_home(archive, ContainerOptions(), plan_of("/home/agent"));
    ASSERT_TRUE(files);
    EXPECT_EQ(*files, "");
  }
}

// The Engine would unpack into the mount, or remove what is mounted for a file in its place.
TEST(FilesForHome, MeetNoMount) {
  ContainerOptions options;
  options.extra_volumes = {{"/srv/x", "/home/agent/.config/agent.json/"}, {"v", "/home/other"}};
  ContainerPlan plan = plan_of("/home/agent/");
  EXPECT_THAT(left(kImage, options, plan),
              ElementsAre(".config", "cache -> /var/cache", ".profile"));
  options.extra_volumes = {{"/srv/x", "/home/agent/cache/agent"}, {"v", "/home/agent/.config"}};
  EXPECT_THAT(left(kImage, options, plan), ElementsAre(".profile"));
  options.extra_volumes.clear();
  plan.working_directory.host_mount = "/home/agent/.profile/project";
  EXPECT_THAT(left(kImage, options, plan),
              ElementsAre(".config", ".config/agent.json", ".config/hard -> .config/agent.json",
                          "cache -> /var/cache"));
}

TEST(FilesForHome, DoNotLeadOut) {
  const std::vector<TarEntry> image{
      entry(Kind::kFile, "../out"),     entry(Kind::kFile, "/etc/passwd"),
      entry(Kind::kFile, "a/../../b"),  entry(Kind::kHardLink, "hard", "../../etc/shadow"),
      entry(Kind::kHardLink, "h", "/"), entry(Kind::kFile, "..a"),
  };
  EXPECT_THAT(left(image, {}, plan_of("/home/agent")), ElementsAre("..a"));
}

TEST(FilesForHome, AreRefusedWhenTheyAreNoArchive) {
  const std::string archive = engine::archive_of(kImage, {});
  for (const std::string& damaged : {std::string(600, 'x'), archive.substr(0, 700)}) {
    const auto files = files_for_home(damaged, ContainerOptions(), plan_of("/home/agent"));
    ASSERT_FALSE(files);
    EXPECT_NE(files.error().explanation.find("can't be read"), std::string::npos);
  }
}

}  // namespace
}  // namespace relay
