#include "engine/tar.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

namespace relay::engine {
namespace {

namespace fs = std::filesystem;

// What the tar program makes or says.
std::string output_of(const std::string& command) {
  std::string out;
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> bytes{};
  while (pipe != nullptr) {
    const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), pipe);
    if (got == 0) break;
    out.append(bytes.data(), got);
  }
  EXPECT_TRUE(pipe != nullptr && ::pclose(pipe) == 0) << command;
  return out;
}

std::optional<std::string> file_in(std::string_view archive) {
  const std::optional<ArchiveEntry> entry = first_entry(archive);
  if (!entry || entry->is_link) return std::nullopt;
  return entry->content;
}

class Tar : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "relay_engine_tar_" + std::to_string(::getpid());
    fs::create_directories(directory_ + "/sub");
    std::ofstream(directory_ + "/passwd") << "root:x:0:0:root:/root:/bin/sh\n";
    std::ofstream(directory_ + "/" + std::string(200, 'n')) << "long name";
    std::ofstream(directory_ + "/empty");
    fs::create_symlink("passwd", directory_ + "/link");
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string made_by_tar(const std::string& format, const std::string& what) const {
    return output_of("tar -C " + directory_ + " --format=" + format + " -c " + what);
  }

  std::string directory_;
};

TEST_F(Tar, ReadsAFileOfEveryFormat) {
  for (const char* format : {"ustar", "gnu", "pax", "v7"}) {
    EXPECT_EQ(file_in(made_by_tar(format, "passwd")), "root:x:0:0:root:/root:/bin/sh\n") << format;
    EXPECT_EQ(file_in(made_by_tar(format, "empty")), "") << format;
    EXPECT_EQ(first_entry(made_by_tar(format, "link")), (ArchiveEntry{true, "passwd"})) << format;
    EXPECT_EQ(file_in(made_by_tar(format, "sub")), std::nullopt) << format;
  }
  for (const char* format : {"gnu", "pax"}) {
    EXPECT_EQ(file_in(made_by_tar(format, std::string(200, 'n'))), "long name") << format;
  }
}

TEST_F(Tar, KnowsWhereALinkLeadsHoweverFar) {
  const std::string far = "/nix/store/" + std::string(150, 'h') + "/etc/passwd";
  fs::create_symlink(far, directory_ + "/far");
  for (const char* format : {"gnu", "pax"}) {
    const std::string archive = made_by_tar(format, "far");
    EXPECT_EQ(first_entry(archive), (ArchiveEntry{true, far})) << format;
    for (std::size_t size = 0; size < archive.size(); size += 13) {
      const auto cut = first_entry(std::string_view(archive).substr(0, size));
      if (cut) {
        EXPECT_EQ(cut->content, far) << format << size;
      }
    }
  }
}

TEST_F(Tar, WritesWhatTheTarProgramUnderstands) {
  const std::string content(1000, 'c');
  std::ofstream(directory_ + "/made.tar") << executable_archive("helper", content);
  const std::string listed = output_of("tar --numeric-owner -tvf " + directory_ + "/made.tar");
  EXPECT_EQ(listed.substr(0, 14), "-rwxr-xr-x 0/0") << listed;
  EXPECT_EQ(output_of("tar -xOf " + directory_ + "/made.tar helper"), content);
}

std::string listed(const std::vector<TarEntry>& entries) {
  std::string text;
  for (const TarEntry& one : entries) {
    text += one.path + "|" + one.target + "|" + std::to_string(static_cast<int>(one.kind)) + "|" +
            std::to_string(one.mode) + "|" + std::to_string(one.time) + "|" +
            std::string(one.content) + "\n";
  }
  return text;
}

std::vector<TarEntry> entries_of(std::string_view archive) {
  std::vector<TarEntry> found;
  TarReader reader(archive);
  while (auto entry = reader.next()) found.push_back(std::move(*entry));
  EXPECT_FALSE(reader.is_damaged());
  return found;
}

TEST_F(Tar, ReadsAllOfADirectory) {
  const std::string deep = "sub/" + std::string(80, 'd') + "/" + std::string(80, 'e');
  fs::create_directories(directory_ + "/" + deep);
  std::ofstream(directory_ + "/" + deep + "/file") << "deep";
  std::ofstream(directory_ + "/sub/a") << "short";
  fs::create_hard_link(directory_ + "/sub/a", directory_ + "/sub/hard");
  fs::create_symlink("/sub/a", directory_ + "/sub/link");
  fs::permissions(directory_ + "/" + deep + "/file", fs::perms(0640));
  ASSERT_EQ(::mkfifo((directory_ + "/sub/fifo").c_str(), 0600), 0);
  std::string first;
  for (const char* format : {"ustar", "gnu", "pax"}) {
    const std::string archive = made_by_tar(format, "--mtime=@1700000000 --sort=name sub");
    const std::vector<TarEntry> found = entries_of(archive);
    ASSERT_EQ(found.size(), 8u) << format;
    EXPECT_EQ(found[0].path, "sub/");
    EXPECT_EQ(found[4].path, deep + "/file");
    EXPECT_EQ(found[4].content, "deep");
    EXPECT_EQ(found[4].mode, 0640u);
    EXPECT_EQ(found[4].time, 1700000000u);
    EXPECT_EQ(found[5].kind, TarEntry::Kind::kOther);
    EXPECT_EQ(found[6].kind, TarEntry::Kind::kHardLink);
    EXPECT_EQ(found[6].target, "sub/a");
    EXPECT_EQ(found[7].target, "/sub/a");
    if (first.empty()) first = listed(found);
    EXPECT_EQ(listed(found), first) << format;
  }
}

TEST_F(Tar, WritesEntriesOfEveryKindAndLength) {
  const std::string far(300, 'f');
  std::ofstream(directory_ + "/" + far.substr(0, 150)) << "far";
  fs::create_symlink("/" + far, directory_ + "/sub/link");
  fs::create_hard_link(directory_ + "/" + far.substr(0, 150), directory_ + "/sub/hard");
  const std::string source = made_by_tar("pax", "--sort=name sub passwd " + far.substr(0, 150));
  for (const TarOwner owner : {TarOwner{1000, 1001}, TarOwner{2147483647, 4000000}}) {
    const std::vector<TarEntry> entries = entries_of(source);
    const std::string archive = archive_of(entries, owner);
    EXPECT_EQ(listed(entries_of(archive)), listed(entries));
    const std::string file = directory_ + "/made.tar";
    std::ofstream(file, std::ios::binary) << archive;
    const std::string names = output_of("tar --numeric-owner -tvf " + file);
    const std::string ids = std::to_string(owner.uid) + "/" + std::to_string(owner.gid);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = names.find(ids, at)) != names.npos; ++at) ++count;
    EXPECT_EQ(count, entries.size()) << names;
    EXPECT_EQ(output_of("tar -xOf " + file + " passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  }
}

TEST(TarBytes, GoThereAndBack) {
  for (const std::size_t size : {0u, 1u, 511u, 512u, 513u, 100000u}) {
    const std::string content(size, 'c');
    const std::string archive = executable_archive("helper", content);
    EXPECT_EQ(archive.size() % 512, 0u);
    EXPECT_EQ(file_in(archive), content);
  }
  EXPECT_EQ(file_in(executable_archive(std::string(300, 'n'), "x")), "x");
}

TEST(TarBytes, AreRefusedWhenCutOffOrDamaged) {
  const std::string archive = executable_archive("helper", std::string(600, 'c'));
  for (std::size_t size = 0; size < 512 + 600; size += 13) {
    EXPECT_EQ(file_in(std::string_view(archive).substr(0, size)), std::nullopt) << size;
  }
  for (std::size_t at = 0; at < 512; ++at) {
    std::string damaged = archive;
    damaged[at] = static_cast<char>(damaged[at] + 1);
    if (at == 155) continue;  // the blank behind the checksum
    EXPECT_EQ(file_in(damaged), std::nullopt) << at;
  }
  EXPECT_EQ(file_in(std::string(2048, '\0')), std::nullopt);
  EXPECT_EQ(file_in(std::string(2048, 'x')), std::nullopt);
  EXPECT_EQ(file_in(std::string(2048, '\xff')), std::nullopt);
}

}  // namespace
}  // namespace relay::engine
