#include "session/agent_state.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

std::string update(const std::string& members) {
  return R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{)" +
         members + "}}}";
}

TEST(AgentState, KnowsTheModeOfNow) {
  AgentState state("s", R"({"modes":{"currentModeId":"ask","availableModes":[]},"x":1})");
  EXPECT_EQ(
      state.observe(update(R"("sessionUpdate":"current_mode_update","currentModeId":"code")")),
      AgentState::Learned::kSettings);
  EXPECT_EQ(state.result(), R"({"modes":{"currentModeId":"code","availableModes":[]},"x":1})");
}

TEST(AgentState, KnowsTheOptionsOfNow) {
  AgentState state("s", R"({"configOptions":[1]})");
  EXPECT_EQ(
      state.observe(update(R"("sessionUpdate":"config_option_update","configOptions":[2,3])")),
      AgentState::Learned::kSettings);
  EXPECT_EQ(state.result(), R"({"configOptions":[2,3]})");
}

TEST(AgentState, LearnsNothingFromWhatIsInForceAlready) {
  AgentState state("s", R"({"modes":{"currentModeId":"ask"},"configOptions":[1]})");
  const auto commands = update(R"("sessionUpdate":"available_commands_update","commands":[1])");
  EXPECT_EQ(state.observe(commands), AgentState::Learned::kSettings);
  for (const std::string& same :
       {update(R"("sessionUpdate":"current_mode_update","currentModeId":"ask")"),
        update(R"("sessionUpdate":"config_option_update","configOptions":[1])"), commands}) {
    EXPECT_EQ(state.observe(same), AgentState::Learned::kNothing) << same;
  }
}

TEST(AgentState, MakesNoModesWhereThereAreNone) {
  AgentState state("s", "{}");
  state.observe(update(R"("sessionUpdate":"current_mode_update","currentModeId":"code")"));
  EXPECT_EQ(state.result(), "{}");
}

TEST(AgentState, TakesWordsInATextForNothingElse) {
  AgentState state("s", R"({"modes":{"currentModeId":"ask"}})");
  EXPECT_EQ(
      state.observe(update(
          R"("sessionUpdate":"agent_message_chunk","content":{"text":"current_mode_update"})")),
      AgentState::Learned::kNothing);
  EXPECT_EQ(state.result(), R"({"modes":{"currentModeId":"ask"}})");
}

TEST(AgentState, LearnsTheTitleOnce) {
  AgentState state("s", "{}");
  const std::string named = update(R"("sessionUpdate":"session_info_update","title":"A \u00e9")");
  EXPECT_EQ(state.observe(named), AgentState::Learned::kTitle);
  EXPECT_EQ(state.title(), "A \xC3\xA9");
  EXPECT_EQ(state.observe(named), AgentState::Learned::kNothing);
  EXPECT_EQ(state.observe(update(R"("sessionUpdate":"session_info_update","updatedAt":"x")")),
            AgentState::Learned::kNothing);
  EXPECT_EQ(state.title(), "A \xC3\xA9");
}

TEST(AgentState, KeepsTheLastUpdateOfEachKind) {
  AgentState state("s", R"({"modes":{"currentModeId":"ask"},"_meta":{"x":1}})");
  using Learned = AgentState::Learned;
  const auto observe = [&](const std::string& members) { return state.observe(update(members)); };
  EXPECT_EQ(observe(R"("sessionUpdate":"available_commands_update","availableCommands":[1])"),
            Learned::kSettings);
  EXPECT_EQ(observe(R"("sessionUpdate":"available_commands_update","availableCommands":[2])"),
            Learned::kSettings);
  EXPECT_EQ(observe(R"("sessionUpdate":"plan","entries":[1])"), Learned::kProgress);
  EXPECT_EQ(observe(R"("used":1,"sessionUpdate" : "usage_update")"), Learned::kProgress);
  EXPECT_EQ(observe(R"("sessionUpdate":"tool_call","rawInput":{"sessionUpdate":"plan"})"),
            Learned::kNothing);
  EXPECT_THAT(state.updates(),
              testing::ElementsAre(
                  R"({"sessionUpdate":"available_commands_update","availableCommands":[2]})",
                  R"({"sessionUpdate":"plan","entries":[1]})",
                  R"({"used":1,"sessionUpdate" : "usage_update"})"));
  EXPECT_EQ(
      state.result(),
      R"({"modes":{"currentModeId":"ask"},"_meta":{"acp-relay/state":[)"
      R"({"sessionUpdate":"available_commands_update","availableCommands":[2]},)"
      R"({"sessionUpdate":"plan","entries":[1]},{"used":1,"sessionUpdate" : "usage_update"}],"x":1}})");
}

TEST(AgentState, GoesOnFromWhatItWas) {
  AgentState before("s", R"({"modes":{"currentModeId":"ask"}})");
  before.observe(update(R"("sessionUpdate":"plan","entries":[1])"));
  AgentState after("s", before.result());
  EXPECT_EQ(after.result(), before.result());
  after.observe(update(R"("sessionUpdate":"plan","entries":[2])"));
  EXPECT_THAT(after.updates(), testing::ElementsAre(R"({"sessionUpdate":"plan","entries":[2]})"));
}

TEST(AgentState, ForgetsARemovedPlan) {
  AgentState state("s", "{}");
  const auto observe = [&](const std::string& members) { return state.observe(update(members)); };
  observe(R"("sessionUpdate":"plan_update","plan":{"type":"items","planId":"a","entries":[]})");
  observe(R"("sessionUpdate":"plan_update","plan":{"type":"items","planId":"b","entries":[]})");
  EXPECT_THAT(state.updates(), testing::SizeIs(2));
  observe(R"("sessionUpdate":"plan_removed","planId":"a")");
  EXPECT_THAT(state.updates(), testing::ElementsAre(testing::HasSubstr(R"("planId":"b")")));
}

TEST(AgentState, JoinsWhatIsSaidOfASubagent) {
  AgentState state("s", "{}");
  state.observe(
      update(R"("sessionUpdate":"subagent_update","sessionId":"s.1","title":"A","cwd":"/a")"));
  state.observe(update(R"("sessionUpdate":"subagent_update","sessionId":"s.2","title":"B")"));
  state.observe(update(
      R"("sessionUpdate":"subagent_update","sessionId":"s.1","title":null,"state":{"state":"idle"})"));
  EXPECT_THAT(
      state.updates(),
      testing::ElementsAre(
          R"({"state":{"state":"idle"},"sessionUpdate":"subagent_update","sessionId":"s.1","title":null,"cwd":"/a"})",
          R"({"sessionUpdate":"subagent_update","sessionId":"s.2","title":"B"})"));
  EXPECT_THAT(state.children(), testing::ElementsAre("\"s.1\"", "\"s.2\""));
}

TEST(AgentState, JoinsAnyNumberOfMembers) {
  AgentState state("s", "{}");
  const std::string about = R"("sessionUpdate":"subagent_update","sessionId":"s.1")";
  const auto members = [&about](char value) {
    std::string all = about;
    while (all.size() < AgentState::kLargestUpdate - 1'000) {
      all += ",\"" + std::to_string(all.size()) + "\":" + value;
    }
    return all;
  };
  EXPECT_EQ(state.observe(update(members('1'))), AgentState::Learned::kSettings);
  EXPECT_EQ(state.observe(update(members('1'))), AgentState::Learned::kNothing);
  EXPECT_EQ(state.observe(update(members('2'))), AgentState::Learned::kSettings);
  EXPECT_THAT(state.updates(), testing::ElementsAre("{" + members('2') + "}"));
}

TEST(AgentState, IsNotThatOfAChild) {
  AgentState state("s", R"({"modes":{"currentModeId":"ask"}})");
  for (const std::string members :
       {R"("sessionUpdate":"current_mode_update","currentModeId":"code")",
        R"("sessionUpdate":"session_info_update","title":"child")",
        R"("sessionUpdate":"plan","entries":[])"}) {
    EXPECT_EQ(state.observe(R"({"method":"session/update","params":{"sessionId":"s.1","update":{)" +
                            members + "}}}"),
              AgentState::Learned::kNothing);
  }
  EXPECT_EQ(state.result(), R"({"modes":{"currentModeId":"ask"}})");
  EXPECT_EQ(state.title(), "");
}

TEST(AgentState, KeepsNoMoreThanItsBound) {
  AgentState state("s", "{}");
  const auto plan = [&](const std::string& id, std::size_t bytes) {
    state.observe(update(R"("sessionUpdate":"plan_update","plan":{"planId":")" + id +
                         R"(","text":")" + std::string(bytes, 'x') + "\"}"));
  };
  plan("large", AgentState::kLargestUpdate);
  EXPECT_THAT(state.updates(), testing::IsEmpty());
  const std::size_t fit = AgentState::kMostBytes / 200'000;
  for (std::size_t i = 0; i < fit + 1; ++i) plan(std::to_string(i), 200'000);
  EXPECT_THAT(state.updates(), testing::SizeIs(fit));
  plan("0", 10);
  plan("more", 180'000);
  EXPECT_THAT(state.updates(), testing::SizeIs(fit + 1));
}

struct Titled {
  const char* blocks;
  std::string title;
};
class Title : public testing::TestWithParam<Titled> {};
TEST_P(Title, IsTheFirstWords) { EXPECT_EQ(title_of_prompt(GetParam().blocks), GetParam().title); }
INSTANTIATE_TEST_SUITE_P(
    Table, Title,
    testing::Values(Titled{"[]", ""}, Titled{R"([{"type":"image","data":""}])", ""},
                    Titled{R"([{"type":"text","text":"  \n fix it\nplease"}])", "fix it"},
                    Titled{R"([{"type":"image"},{"type":"text","text":"see"}])", "see"},
                    Titled{R"([{"type":"text","text":"\ud83d"}])", ""}, Titled{"{}", ""}));

TEST(TitleOfPrompt, IsCutBetweenCharacters) {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "\xC3\xA9";
  const std::string title = title_of_prompt(R"([{"type":"text","text":")" + words + "\"}]");
  EXPECT_EQ(title, words.substr(0, 80) + "\xE2\x80\xA6");
}

}  // namespace
}  // namespace relay
