#include "egress/secret_command.hpp"

#include "base/unique_fd.hpp"
#include "http/header_fields.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace relay::egress {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEndsOfPipe = 2;

Error no_credential(const std::string& program, const std::string& why) {
  return make_error(ErrorType::kInternalError,
                    "the credential cannot be had from " + program + ": " + why)
      .suggest("run the program by hand, as the relay's user")
      .retryable();
}

std::string reason(int error) { return std::generic_category().message(error); }

// Its own process group, no signal blocked or ignored, nothing on stdin and stderr.
int spawn(const std::vector<std::string>& command, int output, pid_t& pid) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  ::sigfillset(&signals);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  const int error =
      ::posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return error;
}

bool wait_until(int fd, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd ready{fd, POLLIN, 0};
    const int found = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (found < 0 && errno == EINTR) continue;
    return found > 0;
  }
}

// False: the time is over. More than may be is cut, which the caller sees by its size.
bool read_all(int from, Clock::time_point deadline, std::string& text) {
  std::array<char, 4096> part{};
  while (wait_until(from, deadline)) {
    const ssize_t got = ::read(from, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || text.size() > kMaxSecretBytes) return true;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return false;
}

}  // namespace

Result<std::string> clean_secret(std::string text, const std::string& where) {
  const auto unusable = [&where](const std::string& why) {
    return make_error(ErrorType::kInternalError,
                      "the credential cannot be had from " + where + ": " + why);
  };
  if (text.size() > kMaxSecretBytes) return unusable("it is larger than 64 KiB");
  constexpr std::string_view kSpace = " \t\r\n";
  std::string_view clean = text;
  clean.remove_prefix(std::min(clean.find_first_not_of(kSpace), clean.size()));
  clean = clean.substr(0, clean.find_last_not_of(kSpace) + 1);
  if (clean.empty()) return unusable("it is empty");
  if (!http::is_safe_value(clean)) return unusable("it has more than one line");
  return std::string(clean);
}

Result<std::string> run_secret_command(const std::vector<std::string>& command,
                                       std::chrono::milliseconds limit) {
  const std::string& program = command.front();
  std::array<int, kEndsOfPipe> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return no_credential(program, reason(errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  pid_t pid = 0;
  if (const int error = spawn(command, writing.get(), pid); error != 0) {
    return no_credential(program, reason(error));
  }
  writing.reset();
  std::string text;
  const auto deadline = Clock::now() + limit;
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int failure = process ? 0 : errno;
  bool in_time = failure == 0 && read_all(reading.get(), deadline, text);
  const bool is_secret = text.size() <= kMaxSecretBytes;
  if (in_time && is_secret) in_time = wait_until(process.get(), deadline);
  ::kill(-pid, SIGKILL);  // also what it has started
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (failure != 0) {
    return no_credential(program, "its end cannot be waited for: " + reason(failure));
  }
  if (!in_time) {
    return no_credential(program, "it took longer than " + std::to_string(limit.count()) + " ms");
  }
  if (!is_secret) return clean_secret(std::move(text), program);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    return no_credential(program, "it ended with code " + std::to_string(WEXITSTATUS(status)));
  }
  if (WIFSIGNALED(status)) {
    return no_credential(program, "it was ended by signal " + std::to_string(WTERMSIG(status)));
  }
  return clean_secret(std::move(text), program);
}

}  // namespace relay::egress
