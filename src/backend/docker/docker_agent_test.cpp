// What an agent is written when its input is cut off, and what is said of its end.
#include "backend/docker/docker_agent.hpp"

#include "backend/docker/input_pieces.hpp"
#include "backend/docker/test_container.hpp"

namespace relay {
namespace {

constexpr std::string_view kStdin = "/attach?stream=1&stdin=1 ";

using Input = AttachedContainer::Input;

class DockerAgentTest : public ContainerTest {
 protected:
  DockerAgentTest() {
    container_->input_stream = std::make_shared<CutStream>(0);
    container_->output_stream = container_->input_stream;
  }
  ~DockerAgentTest() override {
    container_->stage = AttachedContainer::Stage::kEnds;
    hold_removals(false);
    run_until([this] { return context_.background.empty(); });
  }

  void run_and_give_input() {
    answer_state(R"({"Status":"running","Running":true})");
    answer(std::string(kStdin), upgrade());
  }

  Task<Result<void>> send(std::vector<std::string> texts) {
    std::vector<SharedBytes> messages;
    for (std::string& text : texts) messages.emplace_back(std::move(text));
    const auto sent = co_await agent_.send(messages);
    co_return sent;
  }

  // What the Engine takes for the first line of a request is what the agent gets behind these.
  static constexpr const char* kEnd = "\r\n\r\n";
  void run_until_got(const std::string& text) {
    run_until([&] {
      const auto lines = engine_.lines();
      return !lines.empty() && lines.back() == text;
    });
  }

  // The agent gets of the messages what the first stream has taken, and then the rest.
  void expect_sent(std::vector<std::string> texts, std::size_t room, const std::string& taken,
                   const std::string& rest) {
    run_and_give_input();
    const auto first = std::make_shared<CutStream>(room);
    container_->input_stream = first;
    texts.emplace_back(kEnd);
    const auto sent = run(send(std::move(texts)));
    EXPECT_TRUE(sent) << sent.error().explanation;
    EXPECT_EQ(first->taken(), taken);
    run_until_got(rest);
    EXPECT_EQ(container_->input, Input::kTakes);
  }

  std::shared_ptr<AttachedContainer> container_ = std::make_shared<AttachedContainer>(
      context_, context_.options, SessionId("sess_1"), "container", ContainerStreams(),
      engine::ExitWatch(std::make_unique<CutStream>(0)));
  DockerAgent agent_{container_, "/workspace", std::chrono::steady_clock::now()};
  const std::string large_ = std::string(4 * kTakenWhole, 'x');
};

TEST_F(DockerAgentTest, WritesAgainWhatWasCutAndNothingBeforeIt) {
  const std::string half = large_.substr(0, 100);
  expect_sent({"{1}", large_, "{2}"}, 4 + half.size(), "{1}\n" + half, "\n" + large_ + "\n{2}\n");
}

TEST_F(DockerAgentTest, WritesNothingAgainThatLacksItsNewlineAlone) {
  expect_sent({large_, "{2}"}, large_.size(), large_, "\n\n{2}\n");
}

TEST_F(DockerAgentTest, WritesAllAgainOfWhichNothingWasTaken) {
  expect_sent({"{1}", "{2}"}, 5, "", "\n{1}\n{2}\n");
}

TEST_F(DockerAgentTest, WritesAgainWhatItWasWritingWhenTheEngineWentAway) {
  run_and_give_input();
  const auto first = std::make_shared<SilentStream>(io_.get_executor());
  container_->input_stream = first;
  auto sent = asio::co_spawn(io_, send({"{1}", kEnd}), asio::use_future);
  run_until([this] { return container_->input == Input::kInAMessage; });
  // Another output alone is nothing to this.
  ContainerStreams streams;
  streams.output = std::make_shared<CutStream>(0);
  container_->go_on_with(std::move(streams));
  EXPECT_EQ(container_->input, Input::kInAMessage);
  EXPECT_EQ(container_->input_stream, first);
  container_->cut_input();
  run_until_got("\n{1}\n");
  run_until(
      [&sent] { return sent.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  EXPECT_TRUE(sent.get());
  EXPECT_EQ(container_->input, Input::kTakes);
}

TEST_F(DockerAgentTest, TakesAnotherInputAfterAMessageThatWasGivenUpInTheMiddle) {
  run_and_give_input();
  container_->input = Input::kInAMessage;
  EXPECT_FALSE(run(send({"{1}", kEnd})));
  container_->cut_input();
  EXPECT_TRUE(run(send({"{2}", kEnd})));
  run_until_got("\n{2}\n");
}

TEST_F(DockerAgentTest, NoLongerTakesInputThatHasEnded) {
  answer_state(R"({"Status":"exited","Running":false})");
  const auto sent = run(send({"{1}"}));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().type, ErrorType::kAgentExited);
  EXPECT_FALSE(was_asked("/attach"));
}

TEST_F(DockerAgentTest, NoLongerTakesInputWhereTheEngineGivesNoOther) {
  answer_state(R"({"Status":"running","Running":true})");
  answer(std::string(kStdin), ScriptedEngine::json(409, R"({"message":"is paused"})"));
  const auto sent = run(send({"{1}"}));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().type, ErrorType::kAgentExited);
}

TEST_F(DockerAgentTest, SaysHowItEndedThoughItsContainerIsSlowToGo) {
  hold_removals(true);
  answer("DELETE ", ScriptedEngine::json(404, R"({"message":"gone"})"));
  answer_state(R"({"Status":"exited","Running":false,"ExitCode":3})");
  container_->exit_code = 3;
  container_->output_ended.happen();
  container_->exited.happen();
  const AgentExit exit = run(agent_.stop(std::chrono::milliseconds(0)));
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_FALSE(container_->finished.happened());
  EXPECT_TRUE(was_asked("DELETE "));
}

}  // namespace
}  // namespace relay
