#include "cli/replay/recording.hpp"

#include "cli/replay/replay_fixture.hpp"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>

namespace relay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// "session/prompt", "+2 session/cancel" for a step in a turn after two messages.
std::vector<std::string> shown(const Recording& recording) {
  std::vector<std::string> out;
  for (const RecordedStep& step : recording.steps) {
    out.push_back((step.in_turn ? "+" + std::to_string(step.after) + " " : "") + step.method);
  }
  return out;
}

TEST(ReadRecording, TakesWhatTheClientDidInOrder) {
  const Recording recording =
      ExportText()
          .client("session/new", R"({"mcpServers":[]})", "1")
          .response("agent_to_relay", "1", R"("result":{})")
          .update(R"({"sessionUpdate":"available_commands_update"})")
          .client("session/set_mode", R"({"sessionId":"s","modeId":"code"})", "2")
          .response("agent_to_relay", "2", R"("result":{})")
          .client("session/list", "{}", "3")
          .prompt("4", "one")
          .chunk("one")
          .end("4", "end_turn")
          .client("_x/note", R"({"sessionId":"s","a":1})")
          .read();
  EXPECT_THAT(shown(recording), ElementsAre("session/set_mode", "session/prompt", "_x/note"));
  EXPECT_EQ(boost::json::serialize(recording.steps[0].params), R"({"modeId":"code"})");
  EXPECT_EQ(boost::json::serialize(recording.steps[1].params),
            R"({"prompt":[{"type":"text","text":"one"}]})");
  EXPECT_TRUE(recording.steps[0].is_request);
  EXPECT_FALSE(recording.steps[2].is_request);
  ASSERT_EQ(recording.transcript.turns().size(), 1u);
  EXPECT_EQ(recording.transcript.turns()[0].stop, "end_turn");
  EXPECT_EQ(recording.transcript.turns()[0].events.size(), 4u) << "new is not compared";
  EXPECT_EQ(recording.names.working_directory, "/srv/project");
}

TEST(ReadRecording, PlacesACancelAfterAsManyMessages) {
  const Recording recording = ExportText()
                                  .prompt("1", "long")
                                  .chunk("a")
                                  .chunk("b")
                                  .client("session/cancel", "{}")
                                  .chunk("c")
                                  .end("1", "cancelled")
                                  .prompt("2", "next")
                                  .end("2", "end_turn")
                                  .read();
  EXPECT_THAT(shown(recording),
              ElementsAre("session/prompt", "+2 session/cancel", "session/prompt"));
}

TEST(ReadRecording, LeavesOutACancelThatEndedNoTurn) {
  constexpr const char* kOfASubAgent =
      R"({"sessionId":"sess_00112233445566778899aabbccddeeff.kid"})";
  const Recording recording = ExportText()
                                  .prompt("1", "long")
                                  .chunk("a")
                                  .client("session/cancel", kOfASubAgent)
                                  .chunk("b")
                                  .end("1", "cancelled")
                                  .client("session/cancel", "{}")
                                  .prompt("2", "next")
                                  .end("2", "end_turn")
                                  .read();
  EXPECT_THAT(shown(recording),
              ElementsAre("session/prompt", "+2 session/cancel", "session/prompt"));
}

// In the log it is only as a request.
TEST(ReadRecording, InfersACancelOfARequest) {
  const Recording recording =
      ExportText()
          .prompt("1", "long")
          .chunk("a")
          .client("$/cancel_request", R"({"requestId":1})", "2")
          .response("relay_to_client", "2", R"("result":{})")
          .response("agent_to_relay", "1", R"("error":{"code":-32800,"message":"m"})")
          .read();
  EXPECT_THAT(shown(recording), ElementsAre("session/prompt", "+1 $/cancel_request"));
  EXPECT_EQ(recording.steps[1].cancels, 0u);
}

TEST(ReadRecording, InfersACancelThatTheLogDoesNotHave) {
  const Recording recording =
      ExportText()
          .prompt("1", "long")
          .chunk("a")
          .prompt("2", "waits")
          .end("1", "cancelled")
          .response("relay_to_client", "2", R"("result":{"stopReason":"end_turn"})")
          .prompt("3", "withdrawn")
          .response("agent_to_relay", "3", R"("error":{"code":-32800,"message":"m"})")
          .read();
  EXPECT_THAT(shown(recording), ElementsAre("session/prompt", "+1 session/cancel", "session/prompt",
                                            "session/prompt", "+0 $/cancel_request"));
  EXPECT_EQ(recording.steps[4].cancels, 3u);
}

TEST(ReadRecording, KeepsQuestionsWithTheirAnswers) {
  const Recording recording =
      ExportText()
          .prompt("1", "x")
          .agent("session/request_permission", R"({"options":[]})", "7")
          .response("client_to_relay", "7", R"("result":{"outcome":{}})")
          .agent("fs/read_text_file", "{}", "8")
          .response("relay_to_agent", "8", R"("error":{"code":-32601})")
          .agent("fs/read_text_file", "{}", "9")
          .agent("elicitation/create", "{}", "10")
          .response("relay_to_agent", "10", R"("result":{"action":"cancel"})")
          .end("1", "cancelled")
          .read();
  ASSERT_EQ(recording.questions.size(), 4u);
  EXPECT_FALSE(recording.questions[0].at_cancel);
  EXPECT_TRUE(recording.questions[0].answer.contains("result"));
  EXPECT_FALSE(recording.questions[1].at_cancel) << "the relay says that nobody can";
  EXPECT_TRUE(recording.questions[1].answer.contains("error"));
  EXPECT_TRUE(recording.questions[2].answer.empty());
  EXPECT_TRUE(recording.questions[3].at_cancel);
}

TEST(ReadRecording, LeavesOutWhatTheRelaySaid) {
  const Recording recording =
      ExportText()
          .prompt("1", "x")
          .agent("$/cancel_request", "{}")
          .response("relay_to_client", "1",
                    R"("error":{"code":-32000,"data":{"error_type":"agent_exited"}})")
          .read();
  ASSERT_EQ(recording.transcript.turns().size(), 1u);
  EXPECT_EQ(recording.transcript.turns()[0].events.size(), 1u);
  EXPECT_EQ(recording.transcript.turns()[0].stop, "error agent_exited");
}

TEST(ReadRecording, KnowsHowLongTheClientWaited) {
  const Recording recording =
      ExportText().prompt("1", "x").end("1", "end_turn").later(1500).prompt("2", "y").read();
  EXPECT_EQ(recording.steps[1].pause, std::chrono::milliseconds(1500));
}

TEST(ReadRecording, RefusesWhatAnImportRefuses) {
  const std::string whole = ExportText().prompt("1", "x").end("1", "end_turn").text();
  for (const std::string& bad : {std::string(), std::string("hello\n"), whole.substr(0, 300),
                                 whole.substr(0, whole.rfind("{\"type\""))}) {
    const auto read = read_recording(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_THAT(read.error().text, HasSubstr("what to do"));
  }
}

}  // namespace
}  // namespace relay::cli
