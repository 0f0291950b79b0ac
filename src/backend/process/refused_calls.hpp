// For tests: system calls that the kernel refuses to one thread, and children that do not end.
#pragma once

#include "backend/process/spawn.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <utility>
#include <vector>

namespace relay {

// EPERM, for this thread and what it starts, for good.
inline void refuse_calls(const std::vector<long>& calls) {
  std::vector<sock_filter> program;
  program.push_back(sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));  // seccomp_data::nr
  for (const long call : calls) {
    const auto number = static_cast<unsigned>(call);
    program.push_back(sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    program.push_back(sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

// Without SYS_kill no child can be killed, as one in the kernel can't. What `body` starts with
// spawn() is killed with its thread.
template <class Body>
void on_thread_without(std::vector<long> calls, Body body) {
  std::thread([&calls, &body] {
    refuse_calls(calls);
    if (!testing::Test::HasFatalFailure()) body();
  }).join();
}

inline SpawnRequest sleeping_program() { return {"/bin/sleep", {"600"}, {}, "/"}; }

// The signal that ended it; it stays to be reaped.
inline int signal_that_ends(pid_t pid) {
  siginfo_t how = {};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOWAIT), 0);
  return how.si_code == CLD_KILLED ? how.si_status : 0;
}

inline bool is_child(pid_t pid) {
  siginfo_t how = {};
  return ::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace relay
