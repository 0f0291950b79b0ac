#include "backend/process/process_usage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace relay {
namespace {

using namespace std::chrono_literals;

const KernelUnits kUnits{100, 4096};

std::string stat_with(const std::string& name, const std::string& state,
                      const std::string& resident = "25") {
  return "7 (" + name + ") " + state +
         " 1 7 7 0 -1 4194304 90 80 0 0 10 20 30 40 20 0 1 0 555 9999 " + resident +
         " 18446744073709551615\n";
}

TEST(ReadProcessStat, TakesTimesAndMemory) {
  for (const char* name : {"agent", "a b", "(x) R 1", ")"}) {
    const auto stat = read_process_stat(stat_with(name, "S"), kUnits);
    ASSERT_TRUE(stat) << name;
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->cpu_time, 1s);
    EXPECT_EQ(stat->resident_bytes, 25U * 4096);
  }
}

TEST(ReadProcessStat, RefusesWhatTheKernelDoesNotWrite) {
  const std::string good = stat_with("agent", "S");
  for (const std::string& text :
       {std::string(), std::string("7 (agent"), std::string("7 (agent)"), good.substr(0, 40),
        stat_with("agent", "SS"), stat_with("agent", "S", "-1"), stat_with("agent", "S", "x")}) {
    EXPECT_FALSE(read_process_stat(text, kUnits)) << text;
  }
  EXPECT_FALSE(read_process_stat(good, {0, 4096}));
}

TEST(UsageOfProcesses, IsThatOfThisProcess) {
  const auto usage = usage_of_processes(::getpid());
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->state, "running");
  EXPECT_GE(*usage->processes, 1U);
  EXPECT_GT(*usage->memory_bytes, 100'000U);
  EXPECT_FALSE(usage->memory_limit_bytes);
  EXPECT_FALSE(usage->network_sent_bytes);
}

TEST(UsageOfProcesses, CountsDescendantsAndKnowsWhoHasEnded) {
  const auto alone = usage_of_processes(::getpid());
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  EXPECT_EQ(*usage_of_processes(::getpid())->processes, *alone->processes + 1);
  ::close(ends[1]);  // the child's end of input
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(usage_of_processes(child)->state, "exited");
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(usage_of_processes(child));
  ::close(ends[0]);
}

// The child of a thread that is looked at last, or not at all.
TEST(UsageOfProcesses, LooksAtABoundedNumberOfThreadsAndProcesses) {
  const auto before = usage_of_processes(::getpid());
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  pid_t child = -1;
  std::promise<void> forked;
  std::promise<void> seen;
  std::thread parent([&] {
    child = ::fork();
    if (child == 0) {
      char byte = 0;
      ::close(ends[1]);
      ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    forked.set_value();
    seen.get_future().wait();
  });
  forked.get_future().wait();
  const auto all = usage_of_processes(::getpid());
  const auto of_one_thread = usage_of_processes(::getpid(), {.processes = 256, .threads = 1});
  // Of what is left, a process may take half, rounded up; its child needs one.
  const std::size_t threads = static_cast<std::size_t>(
      std::ranges::distance(std::filesystem::directory_iterator("/proc/self/task"),
                            std::filesystem::directory_iterator()));
  const auto half = usage_of_processes(::getpid(), {.processes = 256, .threads = 2 * threads - 1});
  const auto less = usage_of_processes(::getpid(), {.processes = 256, .threads = 2 * threads - 2});
  const auto of_one_process = usage_of_processes(::getpid(), {.processes = 1, .threads = 1024});
  seen.set_value();
  parent.join();
  ::close(ends[1]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(ends[0]);
  EXPECT_EQ(*all->processes, *before->processes + 1);
  EXPECT_EQ(*of_one_thread->processes, *before->processes);
  EXPECT_EQ(*half->processes, *before->processes + 1);
  EXPECT_EQ(*less->processes, *before->processes);
  EXPECT_EQ(*of_one_process->processes, 1U);
}

}  // namespace
}  // namespace relay
