#include "session/agent_state.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

std::string update(const std::string& members) {
  return R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{)" +
         members + "}}}";
}

TEST(AgentState, KnowsTheModeOfNow) {
  AgentState state(R"({"modes":{"currentModeId":"ask","availableModes":[]},"x":1})");
  EXPECT_EQ(
      state.observe(update(R"("sessionUpdate":"current_mode_update","currentModeId":"code")")),
      AgentState::Learned::kSettings);
  EXPECT_EQ(state.result(), R"({"modes":{"currentModeId":"code","availableModes":[]},"x":1})");
}

TEST(AgentState, KnowsTheOptionsOfNow) {
  AgentState state(R"({"configOptions":[1]})");
  EXPECT_EQ(
      state.observe(update(R"("sessionUpdate":"config_option_update","configOptions":[2,3])")),
      AgentState::Learned::kSettings);
  EXPECT_EQ(state.result(), R"({"configOptions":[2,3]})");
}

TEST(AgentState, MakesNoModesWhereThereAreNone) {
  AgentState state("{}");
  state.observe(update(R"("sessionUpdate":"current_mode_update","currentModeId":"code")"));
  EXPECT_EQ(state.result(), "{}");
}

TEST(AgentState, TakesWordsInATextForNothingElse) {
  AgentState state(R"({"modes":{"currentModeId":"ask"}})");
  EXPECT_EQ(
      state.observe(update(
          R"("sessionUpdate":"agent_message_chunk","content":{"text":"current_mode_update"})")),
      AgentState::Learned::kNothing);
  EXPECT_EQ(state.result(), R"({"modes":{"currentModeId":"ask"}})");
}

TEST(AgentState, LearnsTheTitleOnce) {
  AgentState state;
  const std::string named = update(R"("sessionUpdate":"session_info_update","title":"A \u00e9")");
  EXPECT_EQ(state.observe(named), AgentState::Learned::kTitle);
  EXPECT_EQ(state.title(), "A \xC3\xA9");
  EXPECT_EQ(state.observe(named), AgentState::Learned::kNothing);
  EXPECT_EQ(state.observe(update(R"("sessionUpdate":"session_info_update","updatedAt":"x")")),
            AgentState::Learned::kNothing);
  EXPECT_EQ(state.title(), "A \xC3\xA9");
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
