#include "backend/docker/exit_cause.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace relay {
namespace {

constexpr int kKilled = 128 + SIGKILL;

Error exceeded(std::string explanation, std::string_view resource) {
  return make_error(ErrorType::kContainerResourceExceeded, std::move(explanation))
      .with("resource", std::string(resource))
      .retryable();
}

bool says_any(std::string_view text, const auto& words) {
  for (const std::string_view word : words) {
    if (text.find(word) != std::string_view::npos) return true;
  }
  return false;
}

bool could_not_fork(std::string_view errors) {
  static constexpr std::array<std::string_view, 4> kPlain{"can't fork", "Cannot fork",
                                                          "fork failed", "can't start new thread"};
  // Reads and writes fail with it too: it counts where the line tells of a process or thread.
  static constexpr std::array<std::string_view, 2> kRefusal{"Resource temporarily unavailable",
                                                            "EAGAIN"};
  static constexpr std::array<std::string_view, 5> kStart{"fork", "spawn", "clone", "thread",
                                                          "BlockingIOError"};
  if (says_any(errors, kPlain)) return true;
  while (!errors.empty()) {
    const std::string_view line = errors.substr(0, errors.find('\n'));
    if (says_any(line, kRefusal) && says_any(line, kStart)) return true;
    errors.remove_prefix(std::min(errors.size(), line.size() + 1));
  }
  return false;
}

bool had_no_space(std::string_view errors) {
  static constexpr std::array<std::string_view, 2> kWords{"No space left on device", "ENOSPC"};
  return says_any(errors, kWords);
}

bool is_dropped(const ContainerOptions& options, std::string_view capability) {
  return std::ranges::find(options.drop_capabilities, capability) !=
         options.drop_capabilities.end();
}

// What a hardened container refuses, in the agent's last words.
std::optional<Error> refused_by_hardening(const ContainerOptions& options,
                                          std::string_view errors) {
  static constexpr std::array<std::string_view, 2> kReadOnly{"ead-only file system", "EROFS"};
  static constexpr std::array<std::string_view, 2> kNoRight{"peration not permitted", "EPERM"};
  const auto wanted = [](std::string explanation, const char* key) {
    return make_error(ErrorType::kAgentExited, std::move(explanation)).with("key", key);
  };
  if (options.readonly_rootfs && says_any(errors, kReadOnly)) {
    return wanted("the agent ended after it could not write to its image, which is read-only",
                  "container.readonly_rootfs")
        .suggest("name the directory that it writes to in container.tmpfs")
        .suggest("set container.readonly_rootfs: false");
  }
  if (is_dropped(options, "ALL") && says_any(errors, kNoRight)) {
    return wanted("the agent ended after it was refused something, and it has no capabilities",
                  "container.drop_capabilities")
        .suggest(
            "set container.drop_capabilities to those that it can do without: [NET_RAW, "
            "SYS_ADMIN] is what agents without upstreams lose");
  }
  return std::nullopt;
}

// The Engine's init started, and what it was to start did not (tini of Docker, catatonit of
// Podman).
bool command_did_not_start(const AgentExit& exit, std::string_view errors) {
  static constexpr std::array<std::string_view, 1> kTini{"[FATAL tini"};
  static constexpr std::array<std::string_view, 1> kCatatonit{"): failed to exec pid1"};
  if (exit.exit_code == 1) return says_any(errors, kCatatonit);
  return (exit.exit_code == 126 || exit.exit_code == 127) && says_any(errors, kTini);
}

Error bad_command(const ContainerOptions& options, int exit_code) {
  return make_error(ErrorType::kContainerStartFailed,
                    exit_code == 127 ? "the image does not have the agent's command"
                                     : "the agent's command can't be executed")
      .because("container.command is wrong, or container.image is not an agent's image")
      .suggest("check container.command and container.image")
      .suggest("docker run --rm -it --entrypoint sh " + options.image)
      .with("image", options.image)
      .with("key", "container.command");
}

std::string limit_of(const ContainerOptions& options) {
  return options.memory_limit > 0 ? "its memory limit of " + size_text(options.memory_limit)
                                  : "the memory of its host";
}

Error out_of_memory(const ContainerOptions& options, const std::string& who) {
  Error error =
      exceeded(fmt::format("{} was killed: the container used up {}", who, limit_of(options)),
               "memory")
          .because("the work needs more memory than container.memory_limit allows")
          .suggest("raise container.memory_limit")
          .suggest("watch it with docker stats")
          .suggest(
              "run fewer sessions at a time (agent.max_concurrent_sessions) if the host is full")
          .with("oom_killed", true)
          .with("key", "container.memory_limit");
  if (options.memory_limit > 0) {
    error.state.emplace_back("limit_bytes", static_cast<std::int64_t>(options.memory_limit));
  }
  return error;
}

std::optional<Error> cause(const ContainerOptions& options, const EndedContainer& ended,
                           const AgentExit& exit) {
  if (ended.asked_to_stop) return std::nullopt;
  if (ended.engine_failure) return *ended.engine_failure;
  if (exit.oom_killed) {
    return out_of_memory(options, exit.exit_code == kKilled || exit.signal == SIGKILL
                                      ? "the agent"
                                      : "a process of the agent");
  }
  if (!ended.state) {
    return make_error(ErrorType::kAgentExited, "the agent's container was removed from outside")
        .because("someone ran docker rm, or another program cleans up")
        .suggest("make a new session with session/new")
        .retryable();
  }
  // Podman's state may lag behind: what its wait call said has happened.
  if (ended.output_closed || (ended.state->running && !ended.exit_code)) {
    return make_error(ErrorType::kDockerNotAvailable,
                      "the Engine cut the connection to an agent that was running")
        .because("the Engine was restarted, or the agent closed its output")
        .suggest("make a new session with session/new")
        .suggest("journalctl -u docker -n 50")
        .retryable();
  }
  if (exit.exit_code == 0) return std::nullopt;
  if (command_did_not_start(exit, ended.stderr_tail)) return bad_command(options, *exit.exit_code);
  if (could_not_fork(ended.stderr_tail) && options.pids_limit > 0) {
    return exceeded("the agent could not start another process or thread", "pids")
        .because(fmt::format("container.pids_limit allows {}", options.pids_limit))
        .suggest("raise container.pids_limit")
        .with("key", "container.pids_limit")
        .with("limit", options.pids_limit);
  }
  if (had_no_space(ended.stderr_tail) || ended.disk_is_full) {
    return exceeded("the agent found no space left on a disk", "disk")
        .because("the file system of container.workspace_base_dir, or of the Engine, is full")
        .suggest("look with df -h and docker system df")
        .suggest("put container.workspace_base_dir on a larger file system")
        .suggest("close sessions that are not used: acp-relay sessions close --idle")
        .with("key", "container.workspace_base_dir");
  }
  return refused_by_hardening(options, ended.stderr_tail);
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 4> kUnits{"T", "G", "M", "K"};
  for (std::size_t step = 0; step < kUnits.size(); ++step) {
    const std::uint64_t unit = std::uint64_t{1} << (40 - 10 * step);
    if (bytes >= unit && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, kUnits[step]);
  }
  return fmt::format("{} bytes", bytes);
}

AgentExit container_exit(const ContainerOptions& options, const EndedContainer& ended) {
  AgentExit exit;
  exit.stderr_tail = ended.stderr_tail;
  exit.oom_killed = ended.oom_event || (ended.state && ended.state->oom_killed);
  const std::optional<int> code =
      ended.state && !ended.state->running ? ended.state->exit_code : ended.exit_code;
  // A shell's convention, kept by the Engine: 128 and the number of the signal.
  if (code && *code > 128 && *code <= 128 + SIGRTMAX) {
    exit.signal = *code - 128;
  } else {
    exit.exit_code = code;
  }
  exit.cause = cause(options, ended, exit);
  return exit;
}

Error ended_without_relay(const AgentExit& exit) {
  std::string how = "nobody knows how";
  if (exit.exit_code) how = fmt::format("it exited with code {}", *exit.exit_code);
  if (exit.signal) how = fmt::format("signal {} ended it", *exit.signal);
  if (exit.cause) how = exit.cause->explanation;
  Error error = make_error(ErrorType::kRelayRestarted,
                           "the agent ended while the relay was not running: " + how)
                    .suggest("read what was said with session/resume")
                    .suggest("go on in a session made with session/new")
                    .retryable();
  if (exit.cause) {
    error.possible_causes = exit.cause->possible_causes;
    const auto& actions = exit.cause->suggested_actions;
    error.suggested_actions.insert(error.suggested_actions.begin(), actions.begin(), actions.end());
    error.state = exit.cause->state;
  }
  if (exit.exit_code) error.state.emplace_back("exit_code", std::int64_t{*exit.exit_code});
  if (exit.signal) error.state.emplace_back("signal", std::int64_t{*exit.signal});
  if (!exit.stderr_tail.empty()) error.state.emplace_back("stderr_tail", exit.stderr_tail);
  return error;
}

Error memory_exceeded(const ContainerOptions& options, const engine::ContainerUsage& usage) {
  Error error = out_of_memory(options, "a process of the agent");
  if (usage.memory_bytes) {
    error.state.emplace_back("usage_bytes", static_cast<std::int64_t>(*usage.memory_bytes));
  }
  return error;
}

std::optional<Error> starved(const ContainerOptions& options, const engine::ContainerUsage& usage) {
  if (usage.pids && options.pids_limit > 0 &&
      *usage.pids >= static_cast<std::uint64_t>(options.pids_limit)) {
    return exceeded("the agent has used up its processes and threads", "pids")
        .because(fmt::format("container.pids_limit allows {}", options.pids_limit))
        .suggest("raise container.pids_limit")
        .with("key", "container.pids_limit")
        .with("limit", options.pids_limit);
  }
  // Held back in most of its time slices: the limit, not the agent, decides how long it takes.
  if (usage.cpu_periods >= 10 && usage.cpu_throttled_periods * 2 > usage.cpu_periods) {
    return exceeded("the agent gets too little CPU time to answer in time", "cpu")
        .because(fmt::format("container.cpu_limit: {} held it back in {} of {} time slices",
                             options.cpu_limit, usage.cpu_throttled_periods, usage.cpu_periods))
        .suggest("raise container.cpu_limit")
        .suggest("raise container.startup_timeout")
        .suggest("run fewer sessions at a time (agent.max_concurrent_sessions)")
        .with("key", "container.cpu_limit");
  }
  return std::nullopt;
}

Error start_failed(const ContainerOptions& options, Error refused,
                   const std::optional<engine::ContainerState>& state) {
  refused.state.emplace_back("phase", "start");
  refused.state.emplace_back("image", options.image);
  if (!state) return refused;
  if (!state->error.empty() && refused.explanation.find(state->error) == std::string::npos) {
    refused.details = state->error;
  }
  if (state->exit_code == 127 || state->exit_code == 126) {
    refused.type = ErrorType::kContainerStartFailed;
    refused.state.emplace_back("exit_code", std::int64_t{state->exit_code});
    refused.possible_causes.emplace_back(state->exit_code == 127
                                             ? "the image does not have the command"
                                             : "the command of the image can't be executed");
    refused.suggested_actions.emplace_back("check container.command and container.image");
    refused.suggested_actions.emplace_back("docker run --rm -it --entrypoint sh " + options.image);
  }
  return refused;
}

}  // namespace relay
