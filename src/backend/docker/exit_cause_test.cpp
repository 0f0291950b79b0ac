#include "backend/docker/exit_cause.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace relay {
namespace {

ContainerOptions limits() {
  ContainerOptions options;
  options.image = "img:1";
  options.memory_limit = 512u << 20;
  options.pids_limit = 64;
  options.cpu_limit = 0.5;
  return options;
}

EndedContainer ended_with(int code) {
  EndedContainer ended;
  ended.state.emplace();
  ended.state->status = "exited";
  ended.state->exit_code = code;
  ended.exit_code = code;
  return ended;
}

std::string text_of(const Error& error, std::string_view key) {
  for (const auto& [name, value] : error.state) {
    if (name == key && std::holds_alternative<std::string>(value)) {
      return std::get<std::string>(value);
    }
  }
  return {};
}

bool suggests(const Error& error, std::string_view text) {
  return std::ranges::any_of(error.suggested_actions, [text](const std::string& action) {
    return action.find(text) != std::string::npos;
  });
}

TEST(ContainerExit, TellsCodesFromSignals) {
  struct Case {
    int code;
    std::optional<int> exit_code, signal;
  };
  const Case cases[] = {{0, 0, {}},     {1, 1, {}},     {127, 127, {}}, {128, 128, {}},
                        {129, {}, 1},   {137, {}, 9},   {143, {}, 15},  {192, {}, 64},
                        {193, 193, {}}, {255, 255, {}}, {-1, -1, {}}};
  for (const Case& one : cases) {
    const AgentExit exit = container_exit(limits(), ended_with(one.code));
    EXPECT_EQ(exit.exit_code, one.exit_code) << one.code;
    EXPECT_EQ(exit.signal, one.signal) << one.code;
    EXPECT_FALSE(exit.oom_killed);
    EXPECT_FALSE(exit.cause) << one.code;
  }
}

TEST(ContainerExit, KeepsTheLastWordsOfStderr) {
  EndedContainer ended = ended_with(1);
  ended.stderr_tail = "boom\n";
  EXPECT_EQ(container_exit(limits(), ended).stderr_tail, "boom\n");
}

TEST(ContainerExit, NamesTheMemoryLimitWhenTheAgentItselfWasKilled) {
  EndedContainer ended = ended_with(137);
  ended.state->oom_killed = true;
  const AgentExit exit = container_exit(limits(), ended);
  EXPECT_TRUE(exit.oom_killed);
  EXPECT_EQ(exit.signal, 9);
  ASSERT_TRUE(exit.cause);
  EXPECT_EQ(exit.cause->type, ErrorType::kContainerResourceExceeded);
  EXPECT_EQ(exit.cause->explanation,
            "the agent was killed: the container used up its memory limit of 512M");
  EXPECT_EQ(text_of(*exit.cause, "resource"), "memory");
  EXPECT_EQ(text_of(*exit.cause, "key"), "container.memory_limit");
  EXPECT_EQ(number_of(*exit.cause, "limit_bytes"), 512 << 20);
  EXPECT_TRUE(suggests(*exit.cause, "raise container.memory_limit"));
  EXPECT_TRUE(exit.cause->recoverable);
}

TEST(ContainerExit, NamesTheMemoryLimitWhenAChildWasKilled) {
  // Seen by the event alone (Podman), by the state alone, and with an agent that then ends well.
  for (const bool by_event : {true, false}) {
    for (const int code : {0, 1, 143}) {
      EndedContainer ended = ended_with(code);
      ended.oom_event = by_event;
      ended.state->oom_killed = !by_event;
      const AgentExit exit = container_exit(limits(), ended);
      EXPECT_TRUE(exit.oom_killed);
      ASSERT_TRUE(exit.cause) << code;
      EXPECT_EQ(exit.cause->type, ErrorType::kContainerResourceExceeded);
      EXPECT_EQ(exit.cause->explanation.find("a process of the agent was killed"), 0U) << code;
    }
  }
}

TEST(ContainerExit, WithoutALimitTheHostHadNoMemory) {
  EndedContainer ended = ended_with(137);
  ended.state->oom_killed = true;
  const AgentExit exit = container_exit({}, ended);
  EXPECT_NE(exit.cause->explanation.find("the memory of its host"), std::string::npos);
  EXPECT_EQ(number_of(*exit.cause, "limit_bytes"), 0);
}

TEST(ContainerExit, SaysThatSomeoneElseRemovedTheContainer) {
  EndedContainer ended;
  ended.exit_code = 137;  // what the wait call still said
  const AgentExit exit = container_exit(limits(), ended);
  EXPECT_EQ(exit.signal, 9);
  ASSERT_TRUE(exit.cause);
  EXPECT_EQ(exit.cause->type, ErrorType::kAgentExited);
  EXPECT_NE(exit.cause->explanation.find("removed from outside"), std::string::npos);
}

TEST(ContainerExit, TellsALostEngineFromAnEndedAgent) {
  EndedContainer ended;
  ended.engine_failure = make_error(ErrorType::kDockerNotAvailable, "no Engine");
  AgentExit exit = container_exit(limits(), ended);
  EXPECT_FALSE(exit.exit_code || exit.signal);
  ASSERT_TRUE(exit.cause);
  EXPECT_EQ(exit.cause->explanation, "no Engine");

  // Back again, and the agent never noticed.
  ended = ended_with(0);
  ended.state->running = true;
  ended.exit_code.reset();
  exit = container_exit(limits(), ended);
  EXPECT_FALSE(exit.exit_code || exit.signal);
  ASSERT_TRUE(exit.cause);
  EXPECT_EQ(exit.cause->type, ErrorType::kDockerNotAvailable);
}

TEST(ContainerExit, BelievesTheWaitCallWhenTheStateLagsBehind) {
  EndedContainer ended = ended_with(0);
  ended.state->running = true;
  ended.exit_code = 3;
  const AgentExit exit = container_exit(limits(), ended);
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_FALSE(exit.cause);
}

TEST(ContainerExit, SeesInStderrThatNoProcessCouldBeStarted) {
  for (const std::string_view line :
       {"sh: can't fork: Resource temporarily unavailable",
        "-bash: fork: retry: Resource temporarily unavailable", "Cannot fork",
        "Error: spawn /bin/sh EAGAIN", "pthread_create: Resource temporarily unavailable",
        "RuntimeError: can't start new thread",
        "BlockingIOError: [Errno 11] Resource temporarily unavailable"}) {
    EndedContainer ended = ended_with(1);
    ended.stderr_tail = "first line\n" + std::string(line) + "\nlast line";
    const AgentExit exit = container_exit(limits(), ended);
    ASSERT_TRUE(exit.cause) << line;
    EXPECT_EQ(text_of(*exit.cause, "resource"), "pids") << line;
    EXPECT_EQ(text_of(*exit.cause, "key"), "container.pids_limit");
    EXPECT_EQ(number_of(*exit.cause, "limit"), 64);
    EXPECT_TRUE(suggests(*exit.cause, "raise container.pids_limit"));
    // The limit that is not set can't be to blame, and an agent that ended well needs no reason.
    EXPECT_FALSE(container_exit({}, ended).cause) << line;
    ended.state->exit_code = 0;
    EXPECT_FALSE(container_exit(limits(), ended).cause) << line;
  }
}

TEST(ContainerExit, BlamesNoLimitForOtherTroubles) {
  for (const std::string_view line :
       {"Error: write EAGAIN", "recv: Resource temporarily unavailable", "spawn ENOENT",
        "fork me on GitHub\nEAGAIN", "thread 'main' panicked"}) {
    EndedContainer ended = ended_with(1);
    ended.stderr_tail = line;
    EXPECT_FALSE(container_exit(limits(), ended).cause) << line;
  }
}

TEST(ContainerExit, SeesThatADiskIsFull) {
  EndedContainer by_words = ended_with(1);
  by_words.stderr_tail = "cp: No space left on device\n";
  EndedContainer by_node = ended_with(1);
  by_node.stderr_tail = "Error: ENOSPC: write";
  EndedContainer by_look = ended_with(1);
  by_look.disk_is_full = true;
  for (const EndedContainer& ended : {by_words, by_node, by_look}) {
    const AgentExit exit = container_exit(limits(), ended);
    ASSERT_TRUE(exit.cause);
    EXPECT_EQ(exit.cause->type, ErrorType::kContainerResourceExceeded);
    EXPECT_EQ(text_of(*exit.cause, "resource"), "disk");
    EXPECT_EQ(text_of(*exit.cause, "key"), "container.workspace_base_dir");
  }
  EndedContainer well = ended_with(0);
  well.disk_is_full = true;
  EXPECT_FALSE(container_exit(limits(), well).cause);
}

TEST(ContainerExit, NamesTheKeyOfWhatAHardenedContainerRefuses) {
  const auto cause = [](const ContainerOptions& options, const char* words) {
    EndedContainer ended = ended_with(1);
    ended.stderr_tail = words;
    return container_exit(options, ended).cause;
  };
  constexpr const char* kReadOnly = "Error: EROFS: read-only file system, mkdir '/opt/agent'\n";
  constexpr const char* kNoRight = "chown: /opt: Operation not permitted\n";
  ContainerOptions options = limits();
  EXPECT_FALSE(cause(options, kReadOnly));
  EXPECT_FALSE(cause(options, kNoRight));
  options.readonly_rootfs = true;
  options.drop_capabilities = {"ALL"};
  const auto read_only = cause(options, kReadOnly);
  ASSERT_TRUE(read_only);
  EXPECT_EQ(text_of(*read_only, "key"), "container.readonly_rootfs");
  EXPECT_TRUE(suggests(*read_only, "container.readonly_rootfs: false"));
  const auto no_right = cause(options, kNoRight);
  ASSERT_TRUE(no_right);
  EXPECT_EQ(text_of(*no_right, "key"), "container.drop_capabilities");
}

TEST(ContainerExit, NeedsNoCauseWhenTheRelayAskedForIt) {
  EndedContainer killed = ended_with(137);
  killed.state->oom_killed = true;
  EndedContainer gone;
  EndedContainer lost;
  lost.engine_failure = make_error(ErrorType::kDockerNotAvailable, "no Engine");
  for (EndedContainer ended : {killed, gone, lost}) {
    ended.asked_to_stop = true;
    EXPECT_FALSE(container_exit(limits(), ended).cause);
  }
}

TEST(MemoryExceeded, SaysHowMuchIsUsedWhereThatIsKnown) {
  engine::ContainerUsage usage;
  EXPECT_EQ(number_of(memory_exceeded(limits(), usage), "usage_bytes"), 0);
  usage.memory_bytes = 123'456;
  const Error error = memory_exceeded(limits(), usage);
  EXPECT_EQ(error.type, ErrorType::kContainerResourceExceeded);
  EXPECT_EQ(number_of(error, "usage_bytes"), 123'456);
  EXPECT_EQ(number_of(error, "limit_bytes"), 512 << 20);
}

TEST(Starved, KnowsWhichLimitHoldsTheAgentBack) {
  struct Case {
    std::string_view name;
    std::optional<std::uint64_t> pids;
    std::uint64_t periods, throttled;
    std::string_view resource;
  };
  const Case cases[] = {
      {"nothing known", {}, 0, 0, ""},    {"room", 63, 100, 50, ""},
      {"pids used up", 64, 0, 0, "pids"}, {"above", 65, 0, 0, "pids"},
      {"held back", 1, 100, 51, "cpu"},   {"always", {}, 10, 10, "cpu"},
      {"too short a time", {}, 9, 9, ""}, {"both", 64, 100, 100, "pids"},
  };
  for (const Case& one : cases) {
    engine::ContainerUsage usage;
    usage.pids = one.pids;
    usage.cpu_periods = one.periods;
    usage.cpu_throttled_periods = one.throttled;
    const auto error = starved(limits(), usage);
    EXPECT_EQ(error ? text_of(*error, "resource") : "", one.resource) << one.name;
    if (error) {
      EXPECT_EQ(error->type, ErrorType::kContainerResourceExceeded);
      EXPECT_TRUE(suggests(*error, text_of(*error, "key"))) << one.name;
    }
  }
  engine::ContainerUsage many;
  many.pids = 100'000;
  EXPECT_FALSE(starved({}, many)) << "without a limit";
}

TEST(StartFailed, ExplainsCommandsThatCanNotRun) {
  struct Case {
    int code;
    std::string_view cause;
  };
  for (const Case& one : {Case{127, "does not have the command"}, Case{126, "can't be executed"}}) {
    engine::ContainerState state;
    state.exit_code = one.code;
    state.error = "exec: \"x\": not found";
    const Error error =
        start_failed(limits(), make_error(ErrorType::kInternalError, "refused"), state);
    EXPECT_EQ(error.type, ErrorType::kContainerStartFailed);
    EXPECT_EQ(error.explanation, "refused");
    EXPECT_EQ(error.details, state.error);
    EXPECT_EQ(text_of(error, "phase"), "start");
    EXPECT_EQ(text_of(error, "image"), "img:1");
    EXPECT_EQ(number_of(error, "exit_code"), one.code);
    ASSERT_FALSE(error.possible_causes.empty());
    EXPECT_NE(error.possible_causes.back().find(one.cause), std::string::npos);
    EXPECT_TRUE(suggests(error, "container.command"));
  }
}

TEST(StartFailed, LeavesOtherReasonsAsTheyAre) {
  const Error refused = make_error(ErrorType::kDockerNotAvailable, "gone: no space");
  Error error = start_failed(limits(), refused, std::nullopt);
  EXPECT_EQ(error.type, ErrorType::kDockerNotAvailable);
  EXPECT_EQ(error.details, "");
  engine::ContainerState state;
  state.error = "no space";
  error = start_failed(limits(), refused, state);
  EXPECT_EQ(error.type, ErrorType::kDockerNotAvailable);
  EXPECT_EQ(error.details, "") << "it is said already";
  EXPECT_EQ(number_of(error, "exit_code"), 0);
}

TEST(SizeText, UsesTheLargestUnitThatFits) {
  const std::pair<std::uint64_t, std::string_view> cases[] = {
      {0, "0 bytes"},
      {1, "1 bytes"},
      {1023, "1023 bytes"},
      {1024, "1K"},
      {1536, "1536 bytes"},
      {10240, "10K"},
      {1u << 20, "1M"},
      {1536u << 10, "1536K"},
      {2u << 30, "2G"},
      {std::uint64_t{3} << 40, "3T"},
      {std::uint64_t{1} << 50, "1024T"},
      {18446744073709551615U, "18446744073709551615 bytes"}};
  for (const auto& [bytes, wanted] : cases) EXPECT_EQ(size_text(bytes), wanted);
}

TEST(ContainerExit, NamesTheCommandThatTheInitCouldNotStart) {
  EndedContainer ended;
  ended.state = engine::ContainerState();
  ended.state->exit_code = 127;
  ended.stderr_tail = "[FATAL tini (7)] exec /nope failed: No such file or directory\n";
  const AgentExit exit = container_exit(ContainerOptions(), ended);
  ASSERT_TRUE(exit.cause);
  EXPECT_EQ(exit.cause->type, ErrorType::kContainerStartFailed);
  ended.stderr_tail = "sh: nope: not found\n";
  EXPECT_FALSE(container_exit(ContainerOptions(), ended).cause) << "the agent's own affair";
  ended.state->exit_code = 1;
  EXPECT_FALSE(container_exit(ContainerOptions(), ended).cause);
  ended.stderr_tail = "ERROR (catatonit:6): failed to exec pid1: Permission denied\n";
  const AgentExit on_podman = container_exit(ContainerOptions(), ended);
  ASSERT_TRUE(on_podman.cause);
  EXPECT_EQ(on_podman.cause->type, ErrorType::kContainerStartFailed);
}

TEST(EndedWithoutRelay, NamesTheCause) {
  AgentExit exit;
  EXPECT_NE(ended_without_relay(exit).explanation.find("nobody knows"), std::string::npos);
  exit.exit_code = 3;
  EXPECT_NE(ended_without_relay(exit).explanation.find("exited with code 3"), std::string::npos);
  exit.exit_code.reset();
  exit.signal = 9;
  EXPECT_NE(ended_without_relay(exit).explanation.find("signal 9"), std::string::npos);
  exit.cause = make_error(ErrorType::kContainerResourceExceeded, "it used up its memory")
                   .suggest("raise container.memory_limit")
                   .with("key", "container.memory_limit");
  const Error error = ended_without_relay(exit);
  EXPECT_EQ(error.type, ErrorType::kRelayRestarted);
  EXPECT_TRUE(error.recoverable);
  EXPECT_NE(error.explanation.find("used up its memory"), std::string::npos);
  EXPECT_EQ(error.suggested_actions.front(), "raise container.memory_limit");
}

}  // namespace
}  // namespace relay
