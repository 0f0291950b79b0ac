// What becomes of a container whose creation had no answer.
#include "backend/docker/container_maker.hpp"

#include "backend/docker/test_container.hpp"

namespace relay {
namespace {

constexpr const char* kCreate = "/containers/create?";
constexpr const char* kInspect = "/containers/acp-agent-s/json";

engine::testing::ScriptedEngine::Answer late_container(const std::string& instance,
                                                       const std::string& created) {
  return engine::testing::ScriptedEngine::json(
      200, R"({"Id":"late","Config":{"Labels":{"acp.relay.instance":")" + instance +
               R"(","acp.created":")" + created + R"("}},"State":{"Status":"created"}})");
}

class ContainerMakerTest : public ContainerTest {
 protected:
  ContainerMakerTest() { host_.maker.first_pause = std::chrono::milliseconds(1); }
  ~ContainerMakerTest() override {
    run([](ContainerMaker& maker) -> Task<bool> {
      co_await maker.shut_down();
      co_return true;
    }(host_.maker));
  }

  void lose_the_answer() { answer(kCreate, {.bytes = {}, .close = true}); }
  // Until nothing is looked for any more.
  Result<std::string> create(const std::string& created = "then") {
    auto made = run(host_.maker.create("acp-agent-s", "{}", created));
    run_until([this] { return host_.maker.is_idle(); });
    return made;
  }
  std::ptrdiff_t removals() { return times_asked("DELETE "); }
};

TEST_F(ContainerMakerTest, RemovesByItsIdWhatTheEngineMakesLate) {
  lose_the_answer();
  for (int i = 0; i < 2; ++i) {
    answer_once(kInspect, ScriptedEngine::json(404, R"({"message":"no such container"})"));
  }
  answer(kInspect, late_container("instance", "then"));
  const auto made = create();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kDockerNotAvailable);
  EXPECT_EQ(times_asked(kInspect), 3);
  EXPECT_EQ(removals(), 1);
  EXPECT_TRUE(was_asked("/containers/late?force=1"));
}

TEST_F(ContainerMakerTest, RemovesWhatHasANameOfItsOwnWhateverItsImageSays) {
  lose_the_answer();
  answer(kInspect, late_container("instance", "long ago"));
  EXPECT_FALSE(create(""));
  EXPECT_EQ(removals(), 1);
}

TEST_F(ContainerMakerTest, LeavesAloneWhatTheNextAgentHasGot) {
  lose_the_answer();
  answer(kInspect, late_container("instance", "later"));
  EXPECT_FALSE(create());
  EXPECT_EQ(times_asked(kInspect), 1);
  EXPECT_EQ(removals(), 0);
}

TEST_F(ContainerMakerTest, LeavesAloneWhatIsAnotherRelays) {
  lose_the_answer();
  answer(kInspect, late_container("another", "then"));
  EXPECT_FALSE(create());
  EXPECT_EQ(removals(), 0);
}

TEST_F(ContainerMakerTest, BelievesAfterAWhileThatThereIsNone) {
  lose_the_answer();
  EXPECT_FALSE(create());
  EXPECT_EQ(times_asked(kInspect), 6);
  EXPECT_EQ(removals(), 0);
}

TEST_F(ContainerMakerTest, TakesNoSilenceForAnAnswer) {
  lose_the_answer();
  for (int i = 0; i < 8; ++i) {
    answer_once(kInspect, ScriptedEngine::json(500, R"({"message":"busy"})"));
  }
  answer(kInspect, late_container("instance", "then"));
  answer_once("DELETE ", ScriptedEngine::json(500, R"({"message":"busy"})"));
  answer("DELETE ", ScriptedEngine::json(204, ""));
  EXPECT_FALSE(create());
  EXPECT_EQ(times_asked(kInspect), 10);
  EXPECT_EQ(removals(), 2);
}

TEST_F(ContainerMakerTest, LooksForNothingThatTheEngineHasRefusedOrMade) {
  answer_once(kCreate, ScriptedEngine::json(500, R"({"message":"no container today"})"));
  answer(kCreate, ScriptedEngine::json(201, R"({"Id":"made"})"));
  EXPECT_FALSE(create());
  const auto made = create();
  ASSERT_TRUE(made);
  EXPECT_EQ(*made, "made");
  EXPECT_FALSE(was_asked(kInspect));
}

TEST_F(ContainerMakerTest, StopsToLookWhenTheRelayEnds) {
  lose_the_answer();
  host_.maker.first_pause = std::chrono::hours(1);
  EXPECT_FALSE(run(host_.maker.create("acp-agent-s", "{}", "then")));
  EXPECT_FALSE(host_.maker.is_idle());
}

}  // namespace
}  // namespace relay
