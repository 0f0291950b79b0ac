// Whose the directories of a session are, and what can be read of that.
#include "backend/docker/workspaces_fixture.hpp"
#include "backend/process/refused_calls.hpp"
#include "base/unique_fd.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

TEST_F(WorkspacesTest, AreNotRemovedWithoutTheMarkerOfThisRelay) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  directory_.write("base/none/workspace/file", "x");
  fs::create_directories(directory_ / "base/empty");
  directory_.write("base/other/.acp-relay", "two\n");
  directory_.write("base/longer/.acp-relay", "one\nmore\n");
  directory_.write("base/cut/.acp-relay", "one");
  directory_.write("base/blank/.acp-relay", "");
  directory_.write("outside/.acp-relay", "two\n");
  fs::create_directory_symlink(directory_ / "outside", directory_ / "base/link");
  directory_.write("base/file", "x");
  for (const char* session : {"none", "empty", "other", "longer", "cut", "blank", "link", "file"}) {
    EXPECT_FALSE(*has(workspaces, session)) << session;
    const auto removed = remove(workspaces, session);
    ASSERT_FALSE(removed) << session;
    EXPECT_EQ(removed.error().type, ErrorType::kWorkspaceUnavailable);
    EXPECT_NE(removed.error().explanation.find("not removed"), std::string::npos);
    EXPECT_TRUE(directory_.has(std::string("base/") + session)) << session;
  }
  EXPECT_TRUE(directory_.has("base/none/workspace/file"));
  EXPECT_TRUE(directory_.has("outside/.acp-relay"));
}

// What can't be read is not taken for what is not there.
TEST_F(WorkspacesTest, AreNotGoneWhereDescriptorsRanOut) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  ASSERT_TRUE(make(workspaces, "sess_2"));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = 0;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  const auto had = has(workspaces, "sess_1");
  const auto listed = workspaces.all();
  const auto copied = run(workspaces.copy(SessionId("sess_1"), SessionId("sess_2")));
  const auto removed = remove(workspaces, "sess_2");
  const auto remade = make(workspaces, "sess_3");
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(listed.empty());
  ASSERT_FALSE(had);
  ASSERT_FALSE(copied);
  ASSERT_FALSE(removed);
  ASSERT_FALSE(remade);
  for (const Error& error : {had.error(), copied.error(), removed.error(), remade.error()}) {
    EXPECT_EQ(error.type, ErrorType::kWorkspaceUnavailable) << error.explanation;
    EXPECT_NE(error.explanation.find("Too many open files"), std::string::npos)
        << error.explanation;
    EXPECT_TRUE(error.recoverable);
    ASSERT_FALSE(error.suggested_actions.empty());
    EXPECT_NE(error.suggested_actions[0].find("LimitNOFILE"), std::string::npos);
  }
  EXPECT_TRUE(*has(workspaces, "sess_1"));
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_TRUE(remove(workspaces, "sess_2"));
  EXPECT_FALSE(directory_.has("base/sess_3"));
}

// A power cut would leave a name without it.
TEST_F(WorkspacesTest, HaveNoNameBeforeTheirMarkerIsOnTheDisk) {
  ASSERT_TRUE(of("one").open());
  on_thread_without({SYS_fsync}, [this] {
    Workspaces workspaces = of("one");
    const auto made = make(workspaces, "sess_1");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().type, ErrorType::kWorkspaceUnavailable);
    EXPECT_NE(made.error().explanation.find(".acp-relay"), std::string::npos);
  });
  EXPECT_TRUE(fs::is_empty(directory_ / "base"));
}

// As on a disk that is slow: the marker can be read when the loop has brought it.
TEST_F(WorkspacesTest, AreLookedAtWhileTheLoopGoesOn) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  const std::string marker = directory_ / "base/sess_1/.acp-relay";
  fs::remove(marker);
  ASSERT_EQ(::mkfifo(marker.c_str(), 0600), 0);
  UniqueFd pipe;
  asio::steady_timer later(io_);
  const auto bring_it_soon = [&] {
    pipe.reset();
    later.expires_after(std::chrono::milliseconds(1));
    later.async_wait([&](const auto&) {
      pipe.reset(::open(marker.c_str(), O_RDWR | O_CLOEXEC));
      EXPECT_EQ(::write(pipe.get(), "one\n", 4), 4);
    });
  };
  bring_it_soon();
  const auto had = has(workspaces, "sess_1");
  ASSERT_TRUE(had);
  EXPECT_TRUE(*had);
  bring_it_soon();
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_FALSE(directory_.has("base/sess_1"));
}

// Nothing says so any more when the look has ended.
TEST_F(WorkspacesTest, AreNotCopiedWhenTheyWentDuringTheLookAtThem) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  ASSERT_TRUE(make(workspaces, "sess_2"));
  const SessionId from("sess_1");
  const std::string marker = directory_ / "base/sess_1/.acp-relay";
  fs::remove(marker);
  ASSERT_EQ(::mkfifo(marker.c_str(), 0600), 0);
  UniqueFd pipe;
  asio::steady_timer later(io_, std::chrono::milliseconds(1));
  later.async_wait([&](const auto&) {
    workspaces.give_up(from);
    going_.erase(from);  // it has been removed
    pipe.reset(::open(marker.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::write(pipe.get(), "one\n", 4), 4);
  });
  const auto copied = run(workspaces.copy(from, SessionId("sess_2")));
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().type, ErrorType::kSessionClosed);
}

// By an attempt that was given up and went on.
TEST_F(WorkspacesTest, MayHaveGoneAlreadyWhereTheyAreRemoved) {
  const SessionDirectories root = session_directories(directory_ / "base", SessionId("sess_1"));
  const SessionDirectories half = session_directories(directory_ / "base", SessionId("half"));
  ASSERT_TRUE(of("one").open());
  ASSERT_TRUE(make_half_root(root, "one", "hosts"));
  EXPECT_EQ(remove_root(root, half), 0);
  EXPECT_EQ(remove_root(root, half), 0);
  EXPECT_TRUE(fs::is_empty(directory_ / "base"));
}

TEST_F(WorkspacesTest, ThatAreLetGoStayAsNobodys) {
  Workspaces workspaces = of("one");
  ASSERT_TRUE(workspaces.open());
  ASSERT_TRUE(make(workspaces, "sess_1"));
  workspaces.let_go(SessionId("sess_1"));
  EXPECT_TRUE(workspaces.all().empty());
  EXPECT_FALSE(remove(workspaces, "sess_1"));
  EXPECT_TRUE(directory_.has("base/sess_1/workspace"));
}

TEST_F(WorkspacesTest, ListThoseOfThisRelayAlone) {
  Workspaces workspaces = of("one");
  EXPECT_TRUE(workspaces.all().empty()) << "no base directory yet";
  ASSERT_TRUE(workspaces.open());
  Workspaces others = of("two");
  ASSERT_TRUE(make(workspaces, "sess_1"));
  ASSERT_TRUE(make(workspaces, "sess_2"));
  ASSERT_TRUE(make(others, "sess_3"));
  directory_.write("base/none/file", "x");
  directory_.write("base/file", "x");
  const auto listed = workspaces.all();
  EXPECT_EQ(std::set<SessionId>(listed.begin(), listed.end()),
            (std::set<SessionId>{SessionId("sess_1"), SessionId("sess_2")}));
  ASSERT_FALSE(remove(workspaces, "sess_3"));
  EXPECT_TRUE(remove(others, "sess_3"));
  EXPECT_TRUE(remove(workspaces, "sess_1"));
  EXPECT_TRUE(remove(workspaces, "sess_2"));
}

}  // namespace
}  // namespace relay
