// The program acp-workspace-helper, as it is called.
#include "backend/docker/test_directory.hpp"
#include "backend/process/spawn.hpp"
#include "backend/process/unreaped_children.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelper = RELAY_BINARY_DIR "/acp-workspace-helper";

struct Ended {
  int code = -1;
  std::string errors;
};

Ended call(const std::string& program, std::vector<std::string> arguments) {
  SpawnRequest request;
  request.command = program;
  request.args = std::move(arguments);
  request.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  request.working_directory = "/";
  UnreapedChildren unreaped;
  Result<ChildProcess> child = spawn(request, unreaped);
  Ended ended;
  if (!child) {
    ended.errors = child.error().explanation;
    return ended;
  }
  pollfd readable{child->errors.get(), POLLIN, 0};
  while (::poll(&readable, 1, 60'000) > 0) {
    char buffer[1024];
    const ssize_t count = ::read(child->errors.get(), buffer, sizeof buffer);
    if (count <= 0) break;
    ended.errors.append(buffer, static_cast<std::size_t>(count));
  }
  int status = 0;
  ::waitpid(child->pid, &status, 0);
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

Ended helper(std::vector<std::string> arguments) { return call(kHelper, std::move(arguments)); }

std::vector<std::string> make(const std::string& path) {
  return {"make", std::to_string(::geteuid()), std::to_string(::getegid()), path};
}

TEST(WorkspaceHelper, SaysHowItIsCalled) {
  const TestDirectory directory;
  const std::string path = directory / "new";
  const std::vector<std::string> cases[] = {{},
                                            {"make"},
                                            {"make", "0", "0"},
                                            {"remove"},
                                            {"erase", path},
                                            {"make", "root", "0", path},
                                            {"make", "0", "", path},
                                            {"make", "-1", "0", path},
                                            {"make", "-0", "0", path},
                                            {"make", "0", "4294967295", path},
                                            {"make", "1x", "0", path},
                                            {"copy"},
                                            {"copy", "9", path},
                                            {"copy", "x", path, path},
                                            {"copy", "-1", path, path},
                                            {"copy", "9", path, path, path}};
  for (const auto& arguments : cases) {
    const Ended ended = helper(arguments);
    EXPECT_EQ(ended.code, 2);
    EXPECT_EQ(ended.errors.find("usage: acp-workspace-helper make UID GID"), 0U) << ended.errors;
  }
  EXPECT_FALSE(directory.has("new"));
}

TEST(WorkspaceHelper, MakesDirectoriesInOrder) {
  const TestDirectory directory;
  auto arguments = make(directory / "a");
  arguments.push_back(directory / "a/b");
  const Ended ended = helper(arguments);
  EXPECT_EQ(ended.code, 0) << ended.errors;
  struct stat facts = {};
  ASSERT_EQ(::stat((directory / "a/b").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700U);
}

// The last can't be made: had the first been given away already, its new owner could have led the
// second elsewhere.
TEST(WorkspaceHelper, GivesNothingAwayBeforeAllIsMade) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give something away";
  const TestDirectory directory;
  const Ended ended =
      helper({"make", "1234", "1234", directory / "a", directory / "a/b", directory / "a/b"});
  EXPECT_EQ(ended.code, 1);
  for (const char* made : {"a", "a/b"}) {
    struct stat facts = {};
    ASSERT_EQ(::stat((directory / made).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, 0U) << made;
  }
}

TEST(WorkspaceHelper, TakesNothingThatExists) {
  const TestDirectory directory;
  fs::create_directories(directory / "there");
  ::chmod((directory / "there").c_str(), 0751);
  fs::create_directory_symlink(directory / "there", directory / "link");
  for (const char* name : {"there", "link"}) {
    const Ended ended = helper(make(directory / name));
    EXPECT_EQ(ended.code, 1);
    EXPECT_NE(ended.errors.find("File exists"), std::string::npos) << ended.errors;
  }
  struct stat facts = {};
  ASSERT_EQ(::stat((directory / "there").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0751U);
  EXPECT_EQ(helper(make(directory / "missing/below")).code, 1);
}

TEST(WorkspaceHelper, RemovesWhatIsThereAndIsContentWithNothing) {
  const TestDirectory directory;
  directory.write("a/x/y/file", "x");
  directory.write("b/.hidden", "x");
  const Ended ended = helper({"remove", directory / "a", directory / "missing", directory / "b/"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

std::vector<std::string> copy(const TestDirectory& directory, std::uint64_t most = 1u << 30) {
  fs::create_directories(directory / "to");
  return {"copy", std::to_string(most), directory / "from", directory / "to"};
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(WorkspaceHelper, CopiesIntoWhatIsThereAndKeepsThat) {
  const TestDirectory directory;
  directory.write("from/both/theirs", "theirs");
  directory.write("from/both/file", "theirs");
  directory.write("from/place", "theirs");
  directory.write("to/both/file", "mine");
  fs::create_directories(directory / "to/place");
  fs::create_symlink(directory.path(), directory / "from/link");
  const Ended ended = helper(copy(directory));
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_EQ(content(directory / "to/both/theirs"), "theirs");
  EXPECT_EQ(content(directory / "to/both/file"), "mine");
  EXPECT_TRUE(fs::is_directory(directory / "to/place"));
  EXPECT_EQ(fs::read_symlink(directory / "to/link"), directory.path());
  EXPECT_EQ(helper({"copy", "9", directory / "missing", directory / "to"}).code, 0);
}

TEST(WorkspaceHelper, FollowsNoLinkOnEitherSideOfACopy) {
  const TestDirectory directory;
  directory.write("outside/secret", "secret");
  directory.write("from/inner/file", "x");
  fs::create_directory_symlink(directory / "outside", directory / "from/leads");
  fs::create_directories(directory / "to");
  fs::create_directory_symlink(directory / "outside", directory / "to/inner");
  EXPECT_EQ(helper(copy(directory)).code, 0);
  EXPECT_FALSE(directory.has("outside/file"));
  EXPECT_TRUE(fs::is_symlink(directory / "to/leads"));
  fs::create_directory_symlink(directory / "outside", directory / "root");
  EXPECT_EQ(helper({"copy", "99999", directory / "root", directory / "to"}).code, 1);
  EXPECT_EQ(helper({"copy", "99999", directory / "from", directory / "root"}).code, 1);
}

// 1 MiB of data, its block, and the block of an empty file.
TEST(WorkspaceHelper, CopiesNoMoreThanItMay) {
  const TestDirectory directory;
  directory.write("from/data", std::string(1u << 20, 'x'));
  directory.write("from/empty", "");
  struct stat facts = {};
  ASSERT_EQ(::stat((directory / "from/data").c_str(), &facts), 0);
  const auto needed = static_cast<std::uint64_t>(facts.st_blocks) * 512 + 2 * 4096;
  EXPECT_EQ(helper(copy(directory, needed)).code, 0);
  EXPECT_EQ(content(directory / "to/data"), content(directory / "from/data"));
  fs::remove_all(directory / "to");
  const Ended ended = helper(copy(directory, needed - 1));
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.errors.find("File too large"), std::string::npos) << ended.errors;
}

// On a file system that says nothing of holes, and has no blocks for them.
TEST(WorkspaceHelper, CountsWhatItCopiesBeyondTheBlocksOfAFile) {
  constexpr std::uint64_t kSize = 1u << 20;
  for (const std::uint64_t most : {kSize + 4096, kSize + 4095}) {
    const TestDirectory directory;
    const std::string script =
        "mount -t ramfs ramfs \"$1\" && cd \"$1\" && mkdir from to && truncate -s 1M from/holes && "
        "\"$0\" copy " +
        std::to_string(most) + " from to && cmp from/holes to/holes";
    std::vector<std::string> arguments{"-m", "sh", "-c", script, kHelper, directory.path()};
    if (::geteuid() != 0) arguments.insert(arguments.begin(), "-r");
    const Ended ended = call("unshare", arguments);
    const bool fits = most == kSize + 4096;
    EXPECT_EQ(ended.code, fits ? 0 : 3) << ended.errors;
  }
}

// A device in its place would do something when it is opened. Two names change places all the time.
TEST(WorkspaceHelper, OpensNothingButFilesToCopyThem) {
  const TestDirectory directory;
  const std::string file = directory.write("from/file", "x");
  const std::string fifo = directory / "from/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const int opened = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(::inotify_add_watch(opened, fifo.c_str(), IN_OPEN), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, fifo.c_str(), RENAME_EXCHANGE) == 0) {
    }
    ::_exit(1);
  }
  for (int round = 0; round < 50; ++round) EXPECT_EQ(helper(copy(directory)).code, 0);
  ::kill(owner, SIGKILL);
  int status = 0;
  ::waitpid(owner, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "they did not change places";
  inotify_event event = {};
  EXPECT_EQ(::read(opened, &event, sizeof event), -1) << "the FIFO was opened";
  ::close(opened);
}

// In a mount namespace of its own, whose /proc is empty.
TEST(WorkspaceHelper, CopiesWithoutProc) {
  const TestDirectory directory;
  directory.write("from/file", "x");
  fs::create_directories(directory / "to");
  const std::string script =
      "mount -t tmpfs none /proc && cd \"$1\" && exec \"$0\" copy 99999 from to";
  std::vector<std::string> arguments{"-m", "sh", "-c", script, kHelper, directory.path()};
  if (::geteuid() != 0) arguments.insert(arguments.begin(), "-r");
  const Ended ended = call("unshare", arguments);
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_EQ(directory.read("to/file"), "x");
}

TEST(WorkspaceHelper, CopiesNoTreeThatIsTooDeep) {
  const TestDirectory directory;
  std::string path = directory / "from";
  for (int level = 0; level < 200; ++level) path += "/d";
  fs::create_directories(path);
  EXPECT_EQ(helper(copy(directory)).code, 0);
  EXPECT_TRUE(fs::is_directory((directory / "to") + path.substr((directory / "from").size())));
  fs::create_directories(path + "/d");
  const Ended ended = helper(copy(directory));
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.errors.find("symbolic links"), std::string::npos) << ended.errors;
}

// Directories one in another below `top`, with a file in the last: deeper than a path may name.
void make_chain(const std::string& top, const std::string& name, int levels) {
  fs::create_directories(top);
  int here = ::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int level = 0; level < levels; ++level) {
    ASSERT_EQ(::mkdirat(here, name.c_str(), 0700), 0);
    const int below = ::openat(here, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_GE(below, 0);
    ::close(here);
    here = below;
  }
  ::close(::openat(here, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ::close(here);
}

TEST(WorkspaceHelper, RemovesATreeOfAnyDepth) {
  const TestDirectory directory;
  make_chain(directory / "deep", std::string(100, 'd'), 2000);
  // The names that what is moved to the root gets are taken, by what is removed at that time.
  make_chain(directory / "deep/.removal-0", "d", 2000);
  make_chain(directory / "deep/.removal-1", ".removal-1", 2000);
  const Ended ended = helper({"remove", directory / "deep"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_FALSE(directory.has("deep"));
}

// What is mounted at the end of the chain stops the first try there.
TEST(WorkspaceHelper, ARemovalThatIsCutOffHasGotSomewhere) {
  const TestDirectory directory;
  directory.write("outside/precious", "x");
  std::string place = "a";
  for (int level = 0; level < 900; ++level) place += "/d";
  fs::create_directories(directory / place);
  const std::string script =
      "mount --bind \"$1/outside\" \"$1/" + place + "\" && exec \"$0\" remove \"$1/a\"";
  std::vector<std::string> arguments{"-m", "sh", "-c", script, kHelper, directory.path()};
  if (::geteuid() != 0) arguments.insert(arguments.begin(), "-r");
  const Ended ended = call("unshare", arguments);
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.errors.find("cannot remove everything in"), std::string::npos) << ended.errors;
  const fs::recursive_directory_iterator left(directory / "a");
  EXPECT_LE(std::distance(fs::begin(left), fs::end(left)), 251);
  EXPECT_EQ(directory.read("outside/precious"), "x");
  EXPECT_EQ(helper({"remove", directory / "a"}).code, 0);
  EXPECT_FALSE(directory.has("a"));
}

TEST(WorkspaceHelper, RemovesManyEntries) {
  const TestDirectory directory;
  for (int number = 0; number < 1000; ++number) {
    const std::string name = "wide/" + std::to_string(number);
    fs::create_directories(directory / name);
    if (number % 2 == 0) directory.write(name + "/file", "");
    directory.write("wide/file" + std::to_string(number), "");
  }
  const Ended ended = helper({"remove", directory / "wide"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_FALSE(directory.has("wide"));
}

TEST(WorkspaceHelper, RemovesDirectoriesThatNobodyMayRead) {
  const TestDirectory directory;
  directory.write("a/b/c/file", "x");
  directory.write("a/z", "x");
  for (const char* name : {"a/b/c", "a/b", "a"}) ::chmod((directory / name).c_str(), 0);
  const Ended ended = helper({"remove", directory / "a"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_FALSE(directory.has("a"));
}

TEST(WorkspaceHelper, FollowsNoLinkOutside) {
  const TestDirectory directory;
  directory.write("outside/deeper/precious", "x");
  ::chmod((directory / "outside/deeper").c_str(), 0750);
  fs::create_directories(directory / "a/b");
  fs::create_directory_symlink(directory / "outside", directory / "a/link");
  fs::create_directory_symlink("../../outside/deeper", directory / "a/b/link");
  fs::create_directory_symlink(directory / "a", directory / "a/b/loop");
  fs::create_directory_symlink(directory / "outside", directory / "itself");
  EXPECT_EQ(helper({"remove", directory / "a"}).code, 0);
  EXPECT_FALSE(directory.has("a"));
  const Ended ended = helper({"remove", directory / "itself"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(directory.read("outside/deeper/precious"), "x");
  struct stat facts = {};
  ASSERT_EQ(::stat((directory / "outside/deeper").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0750U);
}

TEST(WorkspaceHelper, RemovesNoFileInPlaceOfADirectory) {
  const TestDirectory directory;
  directory.write("file", "x");
  EXPECT_EQ(helper({"remove", directory / "file"}).code, 1);
  EXPECT_TRUE(directory.has("file"));
}

TEST(WorkspaceHelper, OneThatCanNotBeRemovedKeepsNoOther) {
  const TestDirectory directory;
  directory.write("file", "x");
  directory.write("b/x", "x");
  const Ended ended = helper({"remove", directory / "file", directory / "b"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.errors.find("Not a directory"), std::string::npos) << ended.errors;
  EXPECT_FALSE(directory.has("b"));
}

// In a mount namespace of its own, which takes the mounts with it.
TEST(WorkspaceHelper, StopsAtWhatIsMounted) {
  for (const std::string place : {"a/mount", "a/b/mount", "a"}) {
    const TestDirectory directory;
    directory.write("outside/precious", "x");
    fs::create_directories(directory / place);
    // The same file system as the rest: only the mount tells.
    const std::string script =
        "mount --bind \"$1/outside\" \"$1/" + place + "\" && exec \"$0\" remove \"$1/a\"";
    std::vector<std::string> arguments{"-m", "sh", "-c", script, kHelper, directory.path()};
    if (::geteuid() != 0) arguments.insert(arguments.begin(), "-r");
    const Ended ended = call("unshare", arguments);
    EXPECT_EQ(ended.code, 1) << place << ": " << ended.errors;
    EXPECT_NE(ended.errors.find("cannot remove everything in"), std::string::npos) << ended.errors;
    EXPECT_EQ(directory.read("outside/precious"), "x") << place;
  }
}

}  // namespace
}  // namespace relay
