// On real directories and with the real acp-workspace-helper.
#include "backend/docker/test_container.hpp"
#include "backend/docker/workspaces_fixture.hpp"

#include <chrono>
#include <csignal>
#include <fstream>
#include <future>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct stat facts_of(const std::string& path) {
  struct stat facts = {};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts;
}

// The last can't be made: had the first been given away already, its new owner could have led the
// second elsewhere.
TEST(MakeAndGive, GivesNothingAwayBeforeAllIsMade) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give something away";
  const TestDirectory directory;
  const ContainerUser user{1234, 1235, "/home/me"};
  const std::string a = directory / "a";
  EXPECT_FALSE(make_and_give({a, a + "/b", a + "/b"}, user));
  for (const std::string& made : {a, a + "/b"}) {
    EXPECT_EQ(facts_of(made).st_uid, 0U) << made;
  }
  const std::string c = directory / "c";
  EXPECT_TRUE(make_and_give({c, c + "/d"}, user));
  for (const std::string& made : {c, c + "/d"}) {
    EXPECT_EQ(facts_of(made).st_uid, 1234U) << made;
    EXPECT_EQ(facts_of(made).st_gid, 1235U) << made;
    EXPECT_EQ(facts_of(made).st_mode & 07777, 0700U) << made;
  }
}

TEST_F(WorkspacesTest, CanNotBeUsedWithoutTheirBaseDirectory) {
  const Workspaces workspaces = of("me");
  ASSERT_TRUE(workspaces.open());
  EXPECT_FALSE(workspaces.unusable());
  fs::remove(options_.workspace_base_dir);
  const auto failure = workspaces.unusable();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->type, ErrorType::kWorkspaceUnavailable);
  EXPECT_NE(failure->explanation.find(options_.workspace_base_dir), std::string::npos);
}

TEST_F(WorkspacesTest, MakeTheBaseDirectoryForThemAlone) {
  options_.workspace_base_dir = directory_ / "a/b";
  const Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  EXPECT_EQ(facts_of(directory_ / "a/b").st_mode & 07777, 0711U);
  ::chmod((directory_ / "a/b").c_str(), 0755);
  ASSERT_TRUE(workspaces.open());
  EXPECT_EQ(facts_of(directory_ / "a/b").st_mode & 07777, 0755U) << "what is there stays as it is";
}

TEST_F(WorkspacesTest, WantABaseDirectoryThatNobodyElseMayChange) {
  struct Row {
    mode_t mode;
    bool is_wanted;
  };
  for (const Row& row : {Row{0700, true}, Row{0755, true}, Row{0775, true}, Row{01777, true},
                         Row{0777, false}, Row{0757, false}, Row{0702, false}, Row{02777, false}}) {
    fs::create_directory(options_.workspace_base_dir);
    ASSERT_EQ(::chmod(options_.workspace_base_dir.c_str(), row.mode), 0);
    const auto opened = of("one").open();
    EXPECT_EQ(opened.has_value(), row.is_wanted) << std::oct << row.mode;
    if (opened) continue;
    EXPECT_EQ(opened.error().type, ErrorType::kWorkspaceUnavailable);
    EXPECT_NE(opened.error().explanation.find("every user"), std::string::npos);
    EXPECT_NE(opened.error().suggested_actions.at(0).find("container.workspace_base_dir"),
              std::string::npos);
  }
}

TEST_F(WorkspacesTest, WantABaseDirectoryOfTheRelaysUserOrRoots) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give something away";
  constexpr uid_t kStranger = 12345;
  const std::string place = directory_ / "place";
  const std::string base = options_.workspace_base_dir;
  struct Row {
    uid_t of_directory;
    uid_t of_link;
    bool is_wanted;
  };
  for (const Row& row : {Row{0, 0, true}, Row{kStranger, 0, false}, Row{0, kStranger, false}}) {
    fs::remove(base);
    fs::create_directory(place);
    fs::create_directory_symlink(place, base);
    ASSERT_EQ(::chown(place.c_str(), row.of_directory, 0), 0);
    ASSERT_EQ(::lchown(base.c_str(), row.of_link, 0), 0);
    options_.workspace_base_dir = base + "/";
    EXPECT_EQ(of("one").open().has_value(), row.is_wanted) << row.of_directory << row.of_link;
    options_.workspace_base_dir = base;
    const auto opened = of("one").open();
    EXPECT_EQ(opened.has_value(), row.is_wanted) << row.of_directory << " " << row.of_link;
    if (opened) continue;
    EXPECT_EQ(opened.error().type, ErrorType::kWorkspaceUnavailable);
    EXPECT_NE(opened.error().explanation.find(base + " belongs to uid 12345"), std::string::npos);
    EXPECT_NE(opened.error().suggested_actions.at(0).find("container.workspace_base_dir"),
              std::string::npos);
  }
}

TEST_F(WorkspacesTest, ExplainABaseDirectoryThatIsNone) {
  directory_.write("base", "a file");
  const auto opened = of("one").open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_NE(opened.error().explanation.find(options_.workspace_base_dir), std::string::npos);
  options_.workspace_base_dir = directory_ / "base/below";
  EXPECT_FALSE(of("one").open());
}

TEST_F(WorkspacesTest, BelongToTheUserOfTheContainer) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  const auto made = make(workspaces, "sess_1", {"/workspace/a/b", "a/b", ""});
  ASSERT_TRUE(made) << made.error().explanation;
  for (const char* name : {"workspace", "workspace/a", "workspace/a/b", "home"}) {
    const struct stat facts = facts_of(directory_ / "base/sess_1/" + name);
    EXPECT_EQ(facts.st_uid, user_.uid) << name;
    EXPECT_EQ(facts.st_gid, user_.gid) << name;
    EXPECT_EQ(facts.st_mode & 07777, 0700U) << name;
  }
  const struct stat root = facts_of(directory_ / "base/sess_1");
  EXPECT_EQ(root.st_uid, ::geteuid());
  EXPECT_EQ(root.st_mode & 07777, 0700U) << "nobody runs what the agent leaves with its uid";
  EXPECT_EQ(facts_of(directory_ / "base/sess_1/hosts").st_mode & 07777, 0644U);
  EXPECT_NE(directory_.read("base/sess_1/hosts").find("acp-agent-sess_1"), std::string::npos);
  EXPECT_EQ(directory_.read("base/sess_1/.acp-relay"), "one\n");

  const auto removed = remove(workspaces, "sess_1");
  ASSERT_TRUE(removed) << removed.error().explanation;
  EXPECT_FALSE(directory_.has("base/sess_1"));
  EXPECT_TRUE(remove(workspaces, "sess_1")) << "what is gone is gone";
}

TEST_F(WorkspacesTest, DependOnNoUmask) {
  const mode_t before = ::umask(0777);
  Workspaces workspaces = of("one");
  const bool opened = workspaces.open().has_value();
  const auto made = make(workspaces, "sess_1");
  ::umask(before);
  ASSERT_TRUE(opened);
  ASSERT_TRUE(made) << made.error().explanation;
  EXPECT_EQ(facts_of(directory_ / "base").st_mode & 07777, 0711U);
  EXPECT_EQ(facts_of(directory_ / "base/sess_1").st_mode & 07777, 0700U);
  EXPECT_EQ(facts_of(directory_ / "base/sess_1/workspace").st_mode & 07777, 0700U);
  EXPECT_EQ(facts_of(directory_ / "base/sess_1/.acp-relay").st_mode & 07777, 0644U);
  EXPECT_TRUE(remove(workspaces, "sess_1"));
}

TEST_F(WorkspacesTest, HaveAHomeOnlyWhenItIsKept) {
  options_.home = ContainerHome::kTmpfs;
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  EXPECT_FALSE(directory_.has("base/sess_1/home"));
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_FALSE(directory_.has("base/sess_1"));
}

TEST_F(WorkspacesTest, AreRemovedWithAllThatIsInThem) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  directory_.write("outside/precious", "x");
  const std::string workspace = directory_ / "base/sess_1/workspace";
  directory_.write("base/sess_1/workspace/a/b/file", "x");
  directory_.write("base/sess_1/home/.cache/file", "x");
  fs::create_directory_symlink(directory_ / "outside", workspace + "/link");
  fs::create_symlink(directory_ / "outside/precious", workspace + "/a/link");
  ASSERT_EQ(::mkfifo((workspace + "/fifo").c_str(), 0600), 0);
  ::chmod((workspace + "/a/b").c_str(), 0);
  ::chmod(workspace.c_str(), 0);
  const auto removed = remove(workspaces, "sess_1");
  ASSERT_TRUE(removed) << removed.error().explanation;
  EXPECT_FALSE(directory_.has("base/sess_1"));
  EXPECT_EQ(directory_.read("outside/precious"), "x");
}

TEST_F(WorkspacesTest, AreNotTouchedByAFailureToMakeThemAgain) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  directory_.write("base/sess_1/workspace/work", "of hours");
  const auto again = make(workspaces, "sess_1");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_EQ(directory_.read("base/sess_1/workspace/work"), "of hours");
  EXPECT_TRUE(remove(workspaces, "sess_1"));
}

TEST_F(WorkspacesTest, LeaveNothingBehindWhenTheyCanNotBeMade) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  // It fails in the middle: the name is too long.
  const std::string name(300, 'a');
  const auto made = make(workspaces, "sess_1", {"/workspace/a/" + name, "a/" + name, ""});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_NE(made.error().explanation.find("File name too long"), std::string::npos)
      << made.error().explanation;
  EXPECT_TRUE(fs::is_empty(directory_ / "base"));
}

// Some of what was in them may be gone, though they still have their marker.
TEST_F(WorkspacesTest, AreNotThereForAnAgentOnceTheirRemovalHasBegun) {
  const std::string helper = options_.helper_program;
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  ASSERT_TRUE(make(workspaces, "sess_2"));
  options_.helper_program = directory_ / "no-helper";
  ASSERT_FALSE(remove(workspaces, "sess_1"));
  EXPECT_TRUE(workspaces.is_going(SessionId("sess_1")));
  EXPECT_FALSE(*has(workspaces, "sess_1"));
  EXPECT_FALSE(*run(of("one").has(SessionId("sess_1")))) << "nor for another configured agent's";
  const auto copied = run(workspaces.copy(SessionId("sess_1"), SessionId("sess_2")));
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().type, ErrorType::kSessionClosed);
  options_.helper_program = helper;
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_FALSE(workspaces.is_going(SessionId("sess_1")));
  EXPECT_TRUE(make(workspaces, "sess_1"));
  EXPECT_TRUE(*has(workspaces, "sess_1"));
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_TRUE(remove(workspaces, "sess_2"));
}

TEST_F(WorkspacesTest, ThatAreGivenUpAreNotThereForAnAgentUntilTheyAreGone) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  const SessionId session("sess_1");
  ASSERT_TRUE(make(workspaces, "sess_1"));
  workspaces.give_up(session);
  EXPECT_TRUE(workspaces.is_going(session));
  EXPECT_FALSE(*run(workspaces.has(session)));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_FALSE(workspaces.is_going(session));
  EXPECT_FALSE(directory_.has("base/sess_1"));
}

TEST_F(WorkspacesTest, NameAHelperThatIsMissing) {
  options_.helper_program = directory_ / "no-helper";
  const auto opened = of("one").open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_NE(opened.error().explanation.find("no-helper"), std::string::npos);
  ASSERT_FALSE(opened.error().suggested_actions.empty());
  EXPECT_NE(opened.error().suggested_actions[0].find("acp-workspace-helper"), std::string::npos);
}

TEST_F(WorkspacesTest, ExplainWhyADirectoryCanNotBeMade) {
  Workspaces workspaces = of("one");
  const auto made = make(workspaces, "sess_1");  // the base directory is missing
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_NE(made.error().explanation.find("No such file or directory"), std::string::npos);
  ASSERT_FALSE(made.error().suggested_actions.empty());
  EXPECT_NE(made.error().suggested_actions.back().find("container.workspace_base_dir"),
            std::string::npos);
}

TEST_F(WorkspacesTest, FindWhatAKilledRelayHadBegun) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_whole"));
  const fs::path base = options_.workspace_base_dir;
  const fs::path empty = base / "sess_a.one.unfinished";
  const fs::path marked = base / "sess_b.one.unfinished";
  const fs::path foreign = base / "sess_c.two.unfinished";
  for (const fs::path& half : {empty, marked, foreign}) fs::create_directory(half);
  std::ofstream(marked / fs::path(session_directories("", SessionId("x")).marker).filename())
      << "one\n";
  EXPECT_EQ(workspaces.all(), std::vector{SessionId("sess_whole")});
  workspaces.remove_unfinished();
  EXPECT_FALSE(fs::exists(empty));
  EXPECT_FALSE(fs::exists(marked));
  EXPECT_TRUE(fs::exists(foreign)) << "another relay's";
  EXPECT_TRUE(*has(workspaces, "sess_whole"));
}

TEST_F(WorkspacesTest, KnowThatTheDiskHasRoom) {
  EXPECT_FALSE(run(of("one").disk_is_full())) << "nothing is known of a missing directory";
  ASSERT_TRUE(of("one").open());
  EXPECT_FALSE(run(of("one").disk_is_full()));
}

TEST_F(WorkspacesTest, EndAndReapTheHelperWhenTheyAreCancelled) {
  // A helper that never ends by itself.
  options_.helper_program = directory_.write("slow", "#!/bin/sh\nexec sleep 1000\n");
  ::chmod(options_.helper_program.c_str(), 0755);
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  io_.restart();
  TaskScope scope(io_.get_executor(), [](const std::string&, std::exception_ptr) {});
  scope.spawn("remove", [&workspaces]() -> Task<void> {
    const auto removed = co_await workspaces.remove(SessionId("sess_1"));
    EXPECT_FALSE(removed);
  });
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  const auto has_child = [] {
    siginfo_t none = {};
    return ::waitid(P_ALL, 0, &none, WEXITED | WNOHANG | WNOWAIT) == 0;
  };
  while (!has_child() && std::chrono::steady_clock::now() < deadline) io_.run_one_for(10ms);
  ASSERT_TRUE(has_child());
  scope.cancel();
  while (!scope.empty() && std::chrono::steady_clock::now() < deadline) io_.run_one_for(10ms);
  EXPECT_TRUE(scope.empty());
  EXPECT_FALSE(has_child());
}

TEST_F(WorkspacesTest, AreNotWaitedForLongerThanTheyMay) {
  engine::ExitWatch watch(std::make_unique<SilentStream>(io_.get_executor()));
  auto done = asio::co_spawn(io_, helper_ends(io_.get_executor(), watch, 1ms), asio::use_future);
  io_.restart();
  io_.run_for(60s);
  ASSERT_EQ(done.wait_for(0s), std::future_status::ready);
  const auto ended = done.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_FALSE(ended.error().suggested_actions.empty());
}

}  // namespace
}  // namespace relay
