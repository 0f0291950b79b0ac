#include "supervisor.hpp"

#include "command.hpp"
#include "descriptors.hpp"

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void must(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "acp-agent-init: %s: ", what);
  std::perror(nullptr);
  std::exit(kOwnFailure);
}

// A descriptor of /dev/null. It is above the standard streams: those that are closed become
// /dev/null first, so that nothing else takes their place.
int open_null() {
  int descriptor = ::open("/dev/null", O_RDWR);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO) descriptor = ::open("/dev/null", O_RDWR);
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

// All but those that a process gets for a fault of its own.
sigset_t all_signals() {
  sigset_t signals;
  ::sigfillset(&signals);
  for (const int fault : {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS}) {
    ::sigdelset(&signals, fault);
  }
  return signals;
}

[[noreturn]] void be_child(char** command) {
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::_exit(become_command(command));
}

}  // namespace

Supervisor::Supervisor() : null_(open_null()) {
  must(null_ >= 0, "/dev/null");
  // Ignored signals would stay ignored in the command, and with SIGCHLD nothing could be reaped.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  const sigset_t signals = all_signals();
  must(::sigprocmask(SIG_SETMASK, &signals, nullptr) == 0, "sigprocmask");
  signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  must(signals_ >= 0, "signalfd");
  must(::getpid() == 1 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "prctl");
}

bool Supervisor::start(char** command) {
  child_ = ::fork();
  if (child_ == 0) be_child(command);
  if (child_ < 0) return false;
  ::setpgid(child_, child_);  // so does the child itself: a signal may come before it gets to that
  for (int stream = 0; stream <= STDERR_FILENO; ++stream) ::dup2(null_, stream);
  ::close(null_);
  allow_many_descriptors();
  return true;
}

std::optional<int> Supervisor::attend() {
  signalfd_siginfo signal = {};
  bool has_ended = false;
  while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
    const int number = static_cast<int>(signal.ssi_signo);
    if (number == SIGCHLD) {
      has_ended = true;
    } else {
      pass_on(number);
    }
  }
  return has_ended ? reap() : std::nullopt;
}

void Supervisor::pass_on(int signal) const {
  // One that has moved to another group hears alone: that group may have others in it.
  const bool leads = ::getpgid(child_) == child_;
  ::kill(leads ? -child_ : child_, signal);
}

std::optional<int> Supervisor::reap() {
  int status = 0;
  for (int ended = ::waitpid(-1, &status, WNOHANG); ended > 0;
       ended = ::waitpid(-1, &status, WNOHANG)) {
    if (ended != child_) continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return std::nullopt;
}
