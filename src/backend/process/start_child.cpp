// posix_spawn can neither set limits nor have the kernel end a child with its parent.
#include "backend/process/start_child.hpp"

#include "base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace relay {
namespace {

struct Handover {
  const ChildPlan& plan;
  pid_t parent;
  int failed;  // the end of a pipe to which an errno is written; closed when the program runs
};

// Marks every descriptor but the first three, so that the program has no others.
void close_others_at_exec() {
  constexpr unsigned kFirst = STDERR_FILENO + 1;
  if (::syscall(SYS_close_range, kFirst, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  rlimit limit{};  // kernels before 5.11; the relay's own descriptors are marked anyway
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kMost = 65'536;
  const int end = static_cast<int>(limit.rlim_cur < kMost ? limit.rlim_cur : kMost);
  for (int fd = kFirst; fd < end; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// Signals that the relay ignores or blocks (SIGPIPE above all) would be inherited otherwise.
void reset_signals() {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the child, which has the relay's memory until the program runs: system calls and nothing else.
[[noreturn]] void become(const Handover& handover) {
  const ChildPlan& plan = handover.plan;
  const bool ready = ::setpgid(0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                     ::dup2(plan.input, STDIN_FILENO) >= 0 &&
                     ::dup2(plan.output, STDOUT_FILENO) >= 0 &&
                     ::dup2(plan.errors, STDERR_FILENO) >= 0 && ::chdir(plan.directory) == 0;
  if (ready && ::getppid() == handover.parent) {  // else it was killed before the kernel was told
    close_others_at_exec();
    ::setrlimit(RLIMIT_NOFILE, &plan.open_files);
    reset_signals();
    ::execve(plan.file, plan.arguments, plan.environment);
  }
  const int failure = errno;
  [[maybe_unused]] const ssize_t told = ::write(handover.failed, &failure, sizeof failure);
  ::_exit(127);
}

// The child shares this stack: nothing may stand between the call and what it becomes.
[[gnu::noinline]] pid_t divide(const Handover& handover) {
  const pid_t pid = ::vfork();
  if (pid == 0) become(handover);
  return pid;
}

}  // namespace

int start_child(const ChildPlan& plan, pid_t& pid) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
  const UniqueFd told(ends[0]);
  UniqueFd telling(ends[1]);
  if (telling.get() <= STDERR_FILENO) {
    telling.reset(::fcntl(telling.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!telling) return errno;
  }
  // A handler of the relay's must not run in the child, which has its memory.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const Handover handover{plan, ::getpid(), telling.get()};
  pid = divide(handover);
  const int not_divided = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return not_divided;
  telling.reset();
  int failure = 0;
  ssize_t count = 0;
  do {
    count = ::read(told.get(), &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count != sizeof failure) return 0;
  // It has given back the memory, and with it left the program and its file system: all that it may
  // still do is close its copies of our own descriptors.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return failure != 0 ? failure : ECHILD;
}

}  // namespace relay
