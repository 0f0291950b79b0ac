#include "backend/process/spawn.hpp"

#include "backend/process/start_child.hpp"
#include "base/open_files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace relay {

namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// Our copy of a descriptor above the standard three, so that no dup2 in the child overwrites it.
int lift(UniqueFd& fd) {
  if (fd.get() > STDERR_FILENO) return 0;
  const int lifted = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (lifted < 0) return errno;
  fd.reset(lifted);
  return 0;
}

// 0 or an errno.
int open_pipe(Pipe& pipe) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
  pipe.read.reset(ends[0]);
  pipe.write.reset(ends[1]);
  const int failure = lift(pipe.read);
  return failure != 0 ? failure : lift(pipe.write);
}

// Of a new pipe, which has no other flags.
void make_non_blocking(const UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

Error start_failed(std::string explanation, const std::string& file) {
  return make_error(ErrorType::kAgentStartFailed, std::move(explanation))
      .with("phase", "spawn")
      .with("command", file);
}

// What an errno of pipe2, pidfd_open, vfork or execve means for the person who runs the relay.
Error explain(int failure, const std::string& file) {
  switch (failure) {
    case E2BIG:
      return start_failed("the agent's arguments and environment are larger than the system allows",
                          file)
          .suggest("shorten agent.args, agent.env and the environment the client sent")
          .suggest("pass large values in a file");
    case EAGAIN:
      return start_failed("the system allows no more processes for the relay's user", file)
          .because("the process limit (ulimit -u) or the cgroup's pids.max is reached")
          .suggest("close sessions, lower agent.max_concurrent_sessions or raise the limit")
          .retryable();
    case EMFILE:
      return start_failed("the relay has no file descriptors left to start an agent", file)
          .because("the limit of open files of the relay (ulimit -n) is reached")
          .suggest("close sessions, lower agent.max_concurrent_sessions or raise LimitNOFILE")
          .retryable();
    case ENFILE:
      return start_failed("the machine has no file descriptors left to start an agent", file)
          .suggest("raise the sysctl fs.file-max or stop programs that hold many files")
          .retryable();
    case ENOMEM:
      return start_failed("the machine has no memory left to start an agent", file)
          .suggest("close sessions or lower agent.max_concurrent_sessions")
          .retryable();
    case ENOEXEC:
      return start_failed(
                 fmt::format("agent command \"{}\" is not a program this machine can run", file),
                 file)
          .because("it is a script without a #! line, or built for another processor")
          .suggest(
              "add a first line such as #!/bin/sh, or set agent.command to its interpreter "
              "and agent.args to the script");
    case ENOENT:
      return start_failed(
                 fmt::format("the interpreter or loader of agent command \"{}\" is missing", file),
                 file)
          .because(
              "the program named in its #! line, or the C library it was linked with, is not "
              "installed")
          .suggest("install what the first line of the file names, or set agent.command");
    case EACCES:
    case EPERM:
      return start_failed(fmt::format("the system refuses to execute agent command \"{}\"", file),
                          file)
          .because("it lies on a file system mounted noexec, or its interpreter is not executable")
          .suggest("move it, or set agent.command");
    default:
      return start_failed(fmt::format("agent command \"{}\" cannot be started: {}", file,
                                      std::strerror(failure)),
                          file)
          .suggest("try the command in a shell as the relay's user");
  }
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Of a program that may run already, and so may be stuck: it is not waited for.
void kill_and_leave(pid_t pid, UnreapedChildren& unreaped) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);  // it may have gone into another group
  leave_unreaped(pid, unreaped);
}

// execve takes C strings: a NUL byte would silently cut an argument or a variable short.
bool holds_nul(const SpawnRequest& request) {
  const auto has = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  bool found = has(request.command) || has(request.working_directory);
  for (const std::string& argument : request.args) found = found || has(argument);
  for (const auto& [name, value] : request.environment) found = found || has(name) || has(value);
  return found;
}

}  // namespace

Result<std::string> check_request(const SpawnRequest& request) {
  if (holds_nul(request)) {
    return start_failed("the agent's command, arguments, environment or directory hold a NUL byte",
                        request.command)
        .suggest("remove \\u0000 from them");
  }
  Result<std::string> file = find_command(request.command, value_of(request.environment, "PATH"));
  if (!file) return file.error();
  const Result<void> usable = check_working_directory(request.working_directory);
  if (!usable) return usable.error();
  return file;
}

Result<ChildProcess> spawn(const SpawnRequest& request, UnreapedChildren& unreaped) {
  const Result<std::string> file = check_request(request);
  if (!file) return file.error();
  return spawn_checked(request, *file, unreaped);
}

Result<ChildProcess> spawn_checked(const SpawnRequest& request, const std::string& file,
                                   UnreapedChildren& unreaped) {
  reap_ended(unreaped);
  Pipe input;
  Pipe output;
  Pipe errors;
  for (Pipe* pipe : {&input, &output, &errors}) {
    if (const int failure = open_pipe(*pipe); failure != 0) return explain(failure, file);
  }
  std::vector<std::string> arguments{request.command};
  arguments.insert(arguments.end(), request.args.begin(), request.args.end());
  std::vector<std::string> variables;
  variables.reserve(request.environment.size());
  for (const auto& [name, value] : request.environment) variables.push_back(name + "=" + value);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);

  ChildProcess child;
  ChildPlan plan;
  plan.file = file.c_str();
  plan.arguments = argv.data();
  plan.environment = envp.data();
  plan.directory = request.working_directory.c_str();
  plan.input = input.read.get();
  plan.output = output.write.get();
  plan.errors = errors.write.get();
  plan.open_files = open_files_at_start();
  if (const int failure = start_child(plan, child.pid); failure != 0) {
    return explain(failure, file);
  }
  child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.pidfd) {
    const int failure = errno;
    kill_and_leave(child.pid, unreaped);
    return explain(failure, file);
  }
  child.input = std::move(input.write);
  child.output = std::move(output.read);
  child.errors = std::move(errors.read);
  for (const UniqueFd* end : {&child.input, &child.output, &child.errors}) make_non_blocking(*end);
  return child;
}

}  // namespace relay
