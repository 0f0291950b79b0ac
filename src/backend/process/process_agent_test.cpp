#include "backend/process/process_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

#include <fstream>
#include <optional>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace relay {

bool ProcessFixture::is_running(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string id;
  std::string name;
  std::string state;
  file >> id >> name >> state;
  return !state.empty() && state != "Z" && state != "X";
}

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ProcessAgentTest : public ProcessFixture {};

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) == 0; }

TEST_F(ProcessAgentTest, EchoesThroughCat) {
  ProcessOptions options;
  options.command = "/bin/cat";
  auto agent = launch(options);
  EXPECT_TRUE(send(*agent, {"one", "two", ""}));
  EXPECT_THAT(read_lines(*agent, 2), ElementsAre("one", "two"));
  const AgentExit exit = run(agent->stop(5s));
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_FALSE(exit.signal);
  EXPECT_FALSE(has_children());
}

TEST_F(ProcessAgentTest, DeliversABurstOfLinesTogether) {
  auto agent = launch_shell("seq 1 10000");
  std::size_t reads = 0;
  std::vector<std::string> lines;
  while (true) {
    std::optional<AgentOutput> output = run(agent->receive());
    if (!output) break;
    ++reads;
    lines.insert(lines.end(), output->lines.begin(), output->lines.end());
  }
  ASSERT_EQ(lines.size(), 10000U);
  EXPECT_EQ(lines.front(), "1");
  EXPECT_EQ(lines.back(), "10000");
  EXPECT_LT(reads, 500U);
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, CarriesALineOfThirtyMebibytesBothWays) {
  ProcessOptions options;
  options.command = "/bin/cat";
  auto agent = launch(options);
  const std::string big(30U << 20U, 'x');
  const std::vector<SharedBytes> messages{SharedBytes(big)};
  bool sent = false;
  asio::co_spawn(
      io_, agent->send(messages),
      [&](const std::exception_ptr&, const Result<void>& result) { sent = result.has_value(); });
  EXPECT_THAT(read_lines(*agent, 1), ElementsAre(big));
  EXPECT_TRUE(sent);
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, WritesMoreMessagesThanOneSystemCallTakes) {
  ProcessOptions options;
  options.command = "/bin/cat";
  auto agent = launch(options);
  std::vector<SharedBytes> messages;
  for (int i = 0; i < 3000; ++i) messages.emplace_back("message " + std::to_string(i));
  bool sent = false;
  asio::co_spawn(
      io_, agent->send(messages),
      [&](const std::exception_ptr&, const Result<void>& result) { sent = result.has_value(); });
  const std::vector<std::string> lines = read_lines(*agent, 3000);
  ASSERT_EQ(lines.size(), 3000U);
  EXPECT_EQ(lines[2999], "message 2999");
  EXPECT_TRUE(sent);
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, JoinsPartialLinesAndDeliversTheUnterminatedLast) {
  auto agent = launch_shell("printf 'ab'; sleep 0.05; printf 'c\\r\\n\\n'; printf last");
  EXPECT_THAT(all_lines(*agent), ElementsAre("abc", "last"));
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, CountsLinesOverTheLimitAndGoesOn) {
  ProcessOptions options = shell("printf '%0100d\\nshort\\n' 0");
  options.max_line_bytes = 50;
  auto agent = launch(options);
  std::uint64_t oversized = 0;
  std::vector<std::string> lines;
  while (std::optional<AgentOutput> output = run(agent->receive())) {
    oversized += output->oversized_lines;
    lines.insert(lines.end(), output->lines.begin(), output->lines.end());
  }
  EXPECT_EQ(oversized, 1U);
  EXPECT_THAT(lines, ElementsAre("short"));
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, TellsExitCodesAndStderrApart) {
  auto agent = launch_shell("echo why >&2; exit 7");
  EXPECT_THAT(all_lines(*agent), IsEmpty());
  const AgentExit exit = run(agent->stop(1s));
  EXPECT_EQ(exit.exit_code, 7);
  EXPECT_FALSE(exit.signal);
  EXPECT_EQ(exit.stderr_tail, "why\n");
}

TEST_F(ProcessAgentTest, TellsTheSignalThatEndedIt) {
  auto agent = launch_shell("kill -SEGV $$");
  EXPECT_THAT(all_lines(*agent), IsEmpty());
  const AgentExit exit = run(agent->stop(1s));
  EXPECT_EQ(exit.signal, SIGSEGV);
  EXPECT_FALSE(exit.exit_code);
}

TEST_F(ProcessAgentTest, KeepsTheLastBytesOfStderrOnly) {
  ProcessOptions options = shell("seq 1 200000 >&2; echo end >&2");
  auto agent = launch(options);
  EXPECT_THAT(all_lines(*agent), IsEmpty());
  const AgentExit exit = run(agent->stop(5s));
  EXPECT_LE(exit.stderr_tail.size(), 64U * 1024);
  EXPECT_GT(exit.stderr_tail.size(), 60U * 1024);
  EXPECT_TRUE(exit.stderr_tail.ends_with("200000\nend\n"));
}

TEST_F(ProcessAgentTest, StopsAnAgentThatIgnoresEverythingButSigkill) {
  auto agent = launch_shell("trap '' TERM; echo ready; while :; do sleep 60; done");
  EXPECT_THAT(read_lines(*agent, 1), ElementsAre("ready"));
  const AgentExit exit = run(agent->stop(20ms));
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_FALSE(has_children());
}

TEST_F(ProcessAgentTest, LetsAnAgentEndByItselfWithinTheGrace) {
  auto agent = launch_shell("cat >/dev/null; echo goodbye >&2; exit 3");
  const AgentExit exit = run(agent->stop(10s));
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_EQ(exit.stderr_tail, "goodbye\n");
}

TEST_F(ProcessAgentTest, DrainsStdoutWhileItStops) {
  // Writes far more than a pipe holds before it exits.
  auto agent = launch_shell("cat >/dev/null; seq 1 200000; exit 4");
  const AgentExit exit = run(agent->stop(20s));
  EXPECT_EQ(exit.exit_code, 4);
}

TEST_F(ProcessAgentTest, SendsSigtermToTheWholeGroup) {
  auto agent = launch_shell("sleep 1000 & echo $!; wait");
  const std::vector<std::string> lines = read_lines(*agent, 1);
  ASSERT_EQ(lines.size(), 1U);
  const pid_t helper = std::stoi(lines[0]);
  EXPECT_TRUE(is_running(helper));
  const AgentExit exit = run(agent->stop(10ms));
  EXPECT_EQ(exit.signal, SIGTERM);
  run_until([&] { return !is_running(helper); });
}

TEST_F(ProcessAgentTest, EndsWithItsLeaderAlthoughAHelperHoldsStdout) {
  auto agent = launch_shell("(trap '' TERM HUP; sleep 1000) & echo $!; exit 5");
  const std::vector<std::string> lines = all_lines(*agent);
  ASSERT_EQ(lines.size(), 1U);
  const AgentExit exit = run(agent->stop(10s));
  EXPECT_EQ(exit.exit_code, 5);
  const pid_t helper = std::stoi(lines[0]);
  run_until([&] { return !is_running(helper); });
}

TEST_F(ProcessAgentTest, StopsAnAgentThatNeverReadsWhileASendWaits) {
  auto agent = launch_shell("exec sleep 1000");
  const std::vector<SharedBytes> messages{SharedBytes(std::string(1U << 20U, 'x'))};
  std::optional<Result<void>> sent;
  asio::co_spawn(io_, agent->send(messages),
                 [&](const std::exception_ptr&, Result<void> result) { sent = std::move(result); });
  io_.run_for(20ms);
  EXPECT_FALSE(sent);
  const AgentExit exit = run(agent->stop(10ms));
  EXPECT_EQ(exit.signal, SIGTERM);
  run_until([&] { return sent.has_value(); });
  ASSERT_FALSE(*sent);
  EXPECT_EQ(sent->error().type, ErrorType::kAgentExited);
}

TEST_F(ProcessAgentTest, FailsToSendToAnAgentThatHasExited) {
  auto agent = launch_shell("echo bye >&2; exit 9");
  all_lines(*agent);
  Result<void> sent;
  run_until([&] {
    sent = send(*agent, {"hello"});
    return !sent;
  });
  EXPECT_EQ(sent.error().type, ErrorType::kAgentExited);
  // Its input closes a moment before the process counts as ended.
  EXPECT_THAT(sent.error().explanation,
              testing::AnyOf("the agent has exited", "the agent has closed its input"));
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, EndsAWaitingReceiveWhenItStops) {
  auto agent = launch_shell("exec sleep 1000");
  bool ended = false;
  asio::co_spawn(io_, agent->receive(),
                 [&](const std::exception_ptr& failure, const std::optional<AgentOutput>& output) {
                   ended = !failure && !output;
                 });
  io_.run_for(10ms);
  run(agent->stop(0ms));
  run_until([&] { return ended; });
}

TEST_F(ProcessAgentTest, GivesTheSameAnswerToASecondStop) {
  auto agent = launch_shell("cat >/dev/null; exit 6");
  std::optional<AgentExit> first;
  asio::co_spawn(io_, agent->stop(10s),
                 [&](const std::exception_ptr&, AgentExit exit) { first = std::move(exit); });
  const AgentExit second = run(agent->stop(10s));
  run_until([&] { return first.has_value(); });
  EXPECT_EQ(first->exit_code, 6);
  EXPECT_EQ(second.exit_code, 6);
  EXPECT_EQ(run(agent->stop(10s)).exit_code, 6);
}

TEST_F(ProcessAgentTest, FinishesTheStopOfACancelledCaller) {
  auto agent = launch_shell("trap '' TERM; while :; do sleep 60; done");
  asio::cancellation_signal cancel;
  std::optional<AgentExit> exit;
  asio::co_spawn(
      io_, agent->stop(50ms),
      asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr&, AgentExit ended) {
        exit = std::move(ended);
      }));
  io_.run_for(10ms);
  cancel.emit(asio::cancellation_type::terminal);
  run_until([&] { return exit.has_value(); });
  EXPECT_TRUE(exit->signal);
}

TEST_F(ProcessAgentTest, LosesNothingWhenAReceiveIsCancelled) {
  ProcessOptions options;
  options.command = "/bin/cat";
  auto agent = launch(options);
  asio::cancellation_signal cancel;
  bool thrown = false;
  asio::co_spawn(
      io_, agent->receive(),
      asio::bind_cancellation_slot(
          cancel.slot(), [&](const std::exception_ptr& failure, const std::optional<AgentOutput>&) {
            thrown = failure != nullptr;
          }));
  io_.run_for(10ms);
  cancel.emit(asio::cancellation_type::terminal);
  run_until([&] { return thrown; });
  EXPECT_TRUE(send(*agent, {"after"}));
  EXPECT_THAT(read_lines(*agent, 1), ElementsAre("after"));
  run(agent->stop(1s));
}

TEST_F(ProcessAgentTest, KillsWhatWasDestroyedWithoutStop) {
  auto agent = launch_shell("sleep 1000 & echo $!; wait");
  const pid_t helper = std::stoi(read_lines(*agent, 1).at(0));
  agent.reset();
  run_until([&] { return !has_children(); });
  run_until([&] { return !is_running(helper); });
}

TEST_F(ProcessAgentTest, KillsAnAgentThatWentIntoTheGroupOfItsChild) {
  auto agent = launch_shell(
      "exec perl -e '$| = 1; $SIG{TERM} = \"IGNORE\"; my $child = fork; if (!$child) "
      "{ setpgrp(0, 0); sleep 1000 } setpgrp($child, $child); setpgrp(0, $child); "
      "print \"$child\\n\"; sleep 1000'");
  const pid_t helper = std::stoi(read_lines(*agent, 1).at(0));
  EXPECT_EQ(run(agent->stop(20ms)).signal, SIGKILL);
  ::kill(helper, SIGKILL);
  EXPECT_FALSE(has_children());
}

// A process that this one can't kill: root's, while this is nobody's.
class UnkillableAgentTest : public ProcessFixture {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody who may not";
    agent_ = launch_next("trap '' TERM; echo ready; while :; do sleep 60; done");
    EXPECT_THAT(read_lines(*agent_, 1), ElementsAre("ready"));
    pid_ = std::stoi(agent_->description().substr(std::string_view("pid ").size()));
    ASSERT_EQ(::setresuid(kNobody, kNobody, 0), 0);
    is_nobody_ = true;
  }
  void TearDown() override {
    become_root();
    if (pid_ > 0) ::kill(-pid_, SIGKILL);
    agent_.reset();
    run_until([] { return ::waitpid(-1, nullptr, WNOHANG) < 0; });
  }

  void become_root() {
    if (!std::exchange(is_nobody_, false)) return;
    ASSERT_EQ(::setresuid(0, 0, 0), 0);
    ::prctl(PR_SET_DUMPABLE, 1);  // which another user is not
  }

  // All of one backend.
  std::unique_ptr<Agent> launch_next(std::string script) {
    if (!backend_) {
      ProcessOptions options = shell(std::move(script));
      options.killed_child_ends = 100ms;
      backend_.emplace(io_.get_executor(), std::move(options), Logger::silent());
    }
    auto agent = run(backend_->launch({}));
    if (!agent) throw std::runtime_error(agent.error().explanation);
    return std::move(*agent);
  }

  // Nothing is left for it to wait for.
  void expect_the_loop_ends() {
    io_.restart();
    io_.run_for(30s);
    EXPECT_TRUE(io_.stopped());
  }

  // It ends after all, and is reaped by who comes next.
  void expect_it_is_reaped_later() {
    EXPECT_TRUE(is_running(pid_));
    become_root();
    ::kill(-pid_, SIGKILL);
    run_until([this] { return !is_running(pid_); });
    const auto next = launch_next({});
    errno = 0;
    EXPECT_EQ(::waitpid(pid_, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
    pid_ = 0;
    run(next->stop(0ms));
  }

  static constexpr uid_t kNobody = 65534;

  std::optional<ProcessBackend> backend_;
  std::unique_ptr<Agent> agent_;
  pid_t pid_ = 0;
  bool is_nobody_ = false;
};

TEST_F(UnkillableAgentTest, IsLeftBehindAndKeepsNobody) {
  const AgentExit exit = run(agent_->stop(20ms));
  EXPECT_FALSE(exit.exit_code);
  EXPECT_FALSE(exit.signal);
  expect_the_loop_ends();
  EXPECT_FALSE(run(agent_->usage())) << "its pid may be a stranger's by now";
  agent_.reset();
  expect_it_is_reaped_later();
}

TEST_F(UnkillableAgentTest, KeepsNobodyWhoDestroysItWithoutStop) {
  agent_.reset();
  expect_the_loop_ends();
  expect_it_is_reaped_later();
}

TEST_F(ProcessAgentTest, LeavesNoDescriptorsAndNoZombies) {
  run(launch_shell("exit 0")->stop(1s));  // opens what the loop itself needs
  io_.poll();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    auto agent = launch_shell("exit 0");
    run(agent->stop(5s));
  }
  run_until([&] { return open_descriptors() <= before; });
  errno = 0;
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(ProcessAgentTest, RunsAHundredAtOnce) {
  std::vector<std::unique_ptr<Agent>> agents;
  for (int i = 0; i < 100; ++i) {
    ProcessOptions options;
    options.command = "/bin/cat";
    agents.push_back(launch(options));
  }
  for (auto& agent : agents) EXPECT_TRUE(send(*agent, {agent->description()}));
  for (auto& agent : agents) {
    EXPECT_THAT(read_lines(*agent, 1), ElementsAre(agent->description()));
    EXPECT_THAT(agent->description(), StartsWith("pid "));
  }
  for (auto& agent : agents) EXPECT_EQ(run(agent->stop(5s)).exit_code, 0);
  EXPECT_FALSE(has_children());
}

TEST_F(ProcessAgentTest, AnswersAsTheDemoAgent) {
  const std::string demo = std::string(RELAY_BINARY_DIR) + "/acp-demo-agent";
  if (!std::filesystem::exists(demo)) FAIL() << "the demo agent is not built";
  ProcessOptions options;
  options.command = demo;
  auto agent = launch(options);
  EXPECT_TRUE(
      send(*agent,
           {R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}})"}));
  EXPECT_THAT(read_lines(*agent, 1), ElementsAre(HasSubstr(R"("protocolVersion":1)")));
  EXPECT_EQ(run(agent->stop(5s)).exit_code, 0);
}

}  // namespace
}  // namespace relay
