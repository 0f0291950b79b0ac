// Children that can't be killed, and starts that fail when the child is there already.
#include "backend/process/spawn.hpp"

#include "backend/process/refused_calls.hpp"
#include "backend/process/unreaped_children.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/syscall.h>

namespace relay {
namespace {

TEST(UnreapedChildren, StayUntilTheyHaveEnded) {
  UnreapedChildren unreaped;
  const Result<ChildProcess> child = spawn(sleeping_program(), unreaped);
  ASSERT_TRUE(child);
  leave_unreaped(child->pid, unreaped);
  EXPECT_EQ(unreaped, UnreapedChildren{child->pid});
  ::kill(child->pid, SIGKILL);
  EXPECT_EQ(signal_that_ends(child->pid), SIGKILL);
  reap_ended(unreaped);
  EXPECT_TRUE(unreaped.empty());
  EXPECT_FALSE(is_child(child->pid));
}

TEST(UnreapedChildren, AreReapedByTheNextStart) {
  UnreapedChildren unreaped;
  pid_t first = 0;
  {
    const Result<ChildProcess> child = spawn(sleeping_program(), unreaped);
    ASSERT_TRUE(child);
    first = child->pid;
  }
  leave_unreaped(first, unreaped);
  ::kill(first, SIGKILL);
  EXPECT_EQ(signal_that_ends(first), SIGKILL);
  const Result<ChildProcess> next = spawn(sleeping_program(), unreaped);
  ASSERT_TRUE(next);
  EXPECT_TRUE(unreaped.empty());
  EXPECT_FALSE(is_child(first));
  ::kill(next->pid, SIGKILL);
  ::waitpid(next->pid, nullptr, 0);
}

// Kernels and filters of system calls that have no pidfd_open.
TEST(Spawn, KillsTheChildOfAStartThatFailed) {
  UnreapedChildren unreaped;
  on_thread_without({SYS_pidfd_open}, [&unreaped] {
    const Result<ChildProcess> child = spawn(sleeping_program(), unreaped);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().type, ErrorType::kAgentStartFailed);
    for (const pid_t pid : unreaped) EXPECT_EQ(signal_that_ends(pid), SIGKILL);
    reap_ended(unreaped);
    EXPECT_TRUE(unreaped.empty());
  });
}

TEST(Spawn, DoesNotWaitForTheChildOfAStartThatFailed) {
  UnreapedChildren unreaped;
  on_thread_without({SYS_pidfd_open, SYS_kill}, [&unreaped] {
    const Result<ChildProcess> child = spawn(sleeping_program(), unreaped);
    ASSERT_FALSE(child);
    EXPECT_EQ(unreaped.size(), 1U);
  });
  ASSERT_EQ(unreaped.size(), 1U);
  EXPECT_EQ(signal_that_ends(unreaped.front()), SIGKILL) << "it ends with the thread";
  reap_ended(unreaped);
  EXPECT_TRUE(unreaped.empty());
}

}  // namespace
}  // namespace relay
