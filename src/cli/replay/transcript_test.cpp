#include "cli/replay/transcript.hpp"

#include "cli/replay/replay_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;

boost::json::object object(const std::string& text) { return parse_object(text).value(); }

// One turn of these session/updates, in a session with this id and directory.
struct Account {
  std::vector<std::string> updates;
  std::string session = "a";
  std::string directory = "/a/dir";
  std::string result = R"({"stopReason":"end_turn"})";
  bool ends = true;

  Transcript transcript() const {
    Transcript out;
    for (const std::string& update : updates) {
      out.notification(object(R"({"method":"session/update","params":{"sessionId":")" + session +
                              R"(","update":)" + update + "}}"));
    }
    if (ends) out.response("session/prompt", object(R"({"id":1,"result":)" + result + "}"));
    return out;
  }
  TranscriptNames names() const { return {{session}, directory}; }
};

std::vector<TranscriptDifference> compared(const Account& left, const Account& right) {
  return differences(left.transcript(), left.names(), right.transcript(), right.names());
}

std::string chunk(const std::string& text, const std::string& kind = "agent_message_chunk") {
  return R"({"sessionUpdate":")" + kind + R"(","content":{"type":"text","text":")" + text + "\"}}";
}

TEST(Differences, LeaveOutWhatNoTwoRunsShare) {
  struct Case {
    const char* what;
    Account left, right;
  };
  const std::string tool = R"({"sessionUpdate":"tool_call","toolCallId":)";
  const Case cases[] = {
      {"session ids", {{}, "a"}, {{}, "b"}},
      {"session ids in texts",
       {{chunk("in session-1 now")}, "session-1"},
       {{chunk("in session-22 now")}, "session-22"}},
      {"directories", {{chunk("see /a/dir/x")}, "s", "/a/dir"}, {{chunk("see /b/x")}, "s", "/b"}},
      {"the cut of text",
       {{chunk("one "), chunk("two"), chunk("")}},
       {{chunk("o"), chunk("ne two")}}},
      {"times",
       {{R"({"sessionUpdate":"x","updatedAt":"2026-01-31T08:00:00Z","at":"2026-01-31T08:00:00Z"})"}},
       {{R"({"sessionUpdate":"x","updatedAt":"2027-01-31T08:00:00Z","at":"2027-01-31T08:00:00Z"})"}}},
      {"ids",
       {{tool + R"("t-1"})", tool + R"("t-2"})", tool + R"("t-1"})"}},
       {{tool + R"("u-7"})", tool + R"("u-9"})", tool + R"("u-7"})"}}},
      {"uuids",
       {{R"({"sessionUpdate":"x","ref":"123e4567-e89b-42d3-a456-426614174000"})"}},
       {{R"({"sessionUpdate":"x","ref":"00000000-e89b-42d3-a456-426614174000"})"}}},
      {"what the relay adds",
       {{R"({"sessionUpdate":"x","_meta":{"acp-relay/seq":5}})"}},
       {{R"({"sessionUpdate":"x"})"}}},
      {"the order of members",
       {{R"({"sessionUpdate":"x","n":1})"}},
       {{R"({"n":1,"sessionUpdate":"x"})"}}},
  };
  for (const Case& row : cases) {
    const auto found = compared(row.left, row.right);
    EXPECT_TRUE(found.empty()) << row.what << ": " << found[0].recorded << found[0].replayed;
  }
}

TEST(Differences, TellWhatAnAgentDoesOtherwise) {
  struct Case {
    const char* what;
    Account left, right;
    std::size_t message;
  };
  const std::string tool = R"({"sessionUpdate":"tool_call","toolCallId":)";
  const Case cases[] = {
      {"text", {{chunk("one")}}, {{chunk("two")}}, 1},
      {"thought for speech", {{chunk("x")}}, {{chunk("x", "agent_thought_chunk")}}, 1},
      {"a message more", {{chunk("x")}}, {{chunk("x"), R"({"sessionUpdate":"plan"})"}}, 2},
      {"a message less", {{chunk("x"), R"({"sessionUpdate":"plan"})"}}, {{chunk("x")}}, 2},
      {"the order",
       {{chunk("x"), R"({"sessionUpdate":"plan"})", chunk("y")}},
       {{chunk("x"), chunk("y"), R"({"sessionUpdate":"plan"})"}},
       1},
      {"another id of two",
       {{tool + R"("t-1"})", tool + R"("t-1"})"}},
       {{tool + R"("u-1"})", tool + R"("u-2"})"}},
       2},
      {"how the turn ends", {{}}, {{}, "a", "/a/dir", R"({"stopReason":"refusal"})"}, 1},
  };
  for (const Case& row : cases) {
    const auto found = compared(row.left, row.right);
    ASSERT_EQ(found.size(), 1u) << row.what;
    EXPECT_EQ(found[0].turn, 1u) << row.what;
    EXPECT_EQ(found[0].message, row.message) << row.what;
  }
}

TEST(Differences, ARecordingThatWasCutSaysNothingOfWhatFollowed) {
  Account cut{{chunk("one tw")}};
  cut.ends = false;
  EXPECT_TRUE(compared(cut, {{chunk("one two"), R"({"sessionUpdate":"plan"})"}}).empty());
  EXPECT_EQ(compared(cut, {{chunk("three")}}).size(), 1u);
  EXPECT_EQ(compared(cut, {{}}).size(), 1u);
}

TEST(Differences, ShowLongTextsFromWhereTheyPart) {
  const std::string same(5'000, 'x');
  const auto found = compared({{chunk(same + "left")}}, {{chunk(same + "right")}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0].recorded, HasSubstr("xxxleft"));
  EXPECT_THAT(found[0].replayed, HasSubstr("xxxright"));
  EXPECT_LT(found[0].recorded.size(), 300u);
}

TEST(StopOf, NamesReasonsAndErrors) {
  struct Case {
    const char* response;
    const char* stop;
  };
  const Case cases[] = {
      {R"({"result":{"stopReason":"end_turn"}})", "end_turn"},
      {R"({"result":{}})", "no stop reason"},
      {R"({"error":{"code":-32000,"message":"m","data":{"error_type":"agent_exited"}}})",
       "error agent_exited"},
      {R"({"error":{"code":-32601,"message":"no such method"}})", "error -32601: no such method"},
  };
  for (const Case& row : cases) EXPECT_EQ(stop_of(object(row.response)), row.stop);
}

}  // namespace
}  // namespace relay::cli
