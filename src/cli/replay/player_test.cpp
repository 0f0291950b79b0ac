#include "cli/replay/player.hpp"

#include "cli/replay/replay_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A player behind its handshake.
Player ready(const ExportText& text, bool as_recorded = false) {
  Player player(text.read(), {"/here", as_recorded});
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr("initialize")));
  player.take(R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}})");
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr(R"("cwd":"/here","mcpServers":[])")));
  player.take(R"({"jsonrpc":"2.0","id":2,"result":{"sessionId":"mine"}})");
  return player;
}

std::string answer(int id, const std::string& result = R"({"stopReason":"end_turn"})") {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + result + "}";
}

constexpr const char* kChunk =
    R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"mine","update":{)"
    R"("sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"x"}}}})";

TEST(Player, SendsOneStepAfterAnother) {
  Player player = ready(
      ExportText().prompt("1", "a").end("1", "end_turn").prompt("2", "b").end("2", "end_turn"));
  EXPECT_THAT(player.take_lines(),
              ElementsAre(R"({"jsonrpc":"2.0","id":3,"method":"session/prompt","params":)"
                          R"({"prompt":[{"type":"text","text":"a"}],"sessionId":"mine"}})"));
  player.take(kChunk);
  EXPECT_THAT(player.take_lines(), IsEmpty());
  player.take(answer(3));
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr(R"("text":"b")")));
  EXPECT_FALSE(player.done());
  EXPECT_FALSE(player.played_all());
  player.take(answer(4));
  EXPECT_TRUE(player.done());
  EXPECT_TRUE(player.played_all());
  player.lost("agent_exited");
  EXPECT_TRUE(player.played_all()) << "nothing was missing";
  EXPECT_EQ(player.transcript().turns().size(), 2u);
}

TEST(Player, CancelsAfterAsManyMessages) {
  Player player = ready(ExportText()
                            .prompt("1", "a")
                            .chunk("1")
                            .chunk("2")
                            .client("session/cancel", "{}")
                            .end("1", "cancelled"));
  player.take_lines();
  player.take(kChunk);
  EXPECT_THAT(player.take_lines(), IsEmpty());
  player.take(kChunk);
  EXPECT_THAT(
      player.take_lines(),
      ElementsAre(R"({"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"mine"}})"));
}

TEST(Player, LeavesOutTheCancelOfATurnThatHasEnded) {
  Player player = ready(ExportText()
                            .prompt("1", "a")
                            .chunk("1")
                            .end("1", "cancelled")
                            .prompt("2", "b")
                            .end("2", "end_turn"));
  player.take_lines();
  player.take(answer(3));
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr(R"("text":"b")")));
  EXPECT_THAT(player.take_notes(), ElementsAre("a turn ended before it was cancelled"));
}

TEST(Player, CancelsARequestByItsOwnId) {
  Player player = ready(ExportText().prompt("77", "a").response(
      "agent_to_relay", "77", R"("error":{"code":-32800,"message":"m"})"));
  const auto lines = player.take_lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], HasSubstr(R"("method":"$/cancel_request","params":{"requestId":3})"));
}

std::string options(const std::string& first, const std::string& second) {
  return R"({"sessionId":"mine","options":[{"optionId":")" + first +
         R"(","name":"n","kind":"allow_once"},{"optionId":")" + second +
         R"(","name":"n","kind":"reject_once"}]})";
}

std::string permission(const std::string& params) {
  return R"({"jsonrpc":"2.0","id":"q","method":"session/request_permission","params":)" + params +
         "}";
}

TEST(Player, AnswersByTheKindOfTheOption) {
  struct Case {
    std::string offered;
    const char* answer;
    std::size_t notes;
  };
  const Case cases[] = {
      {options("yes", "no"), R"("outcome":"selected","optionId":"no")", 0},
      {options("no", "other"), R"("outcome":"selected","optionId":"other")", 0},
      {R"({"options":[{"optionId":"no","name":"n","kind":"allow_once"}]})",
       R"("outcome":"cancelled")", 1},
  };
  for (const Case& row : cases) {
    Player player =
        ready(ExportText()
                  .prompt("1", "a")
                  .agent("session/request_permission", options("yes", "no"), "5")
                  .response("client_to_relay", "5",
                            R"("result":{"outcome":{"outcome":"selected","optionId":"no"}})")
                  .end("1", "end_turn"));
    player.take_lines();
    player.take(permission(row.offered));
    EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr(row.answer)));
    EXPECT_EQ(player.take_notes().size(), row.notes);
  }
}

TEST(Player, WhatTheRelayAnsweredAtACancelIsAnsweredBehindIt) {
  Player player =
      ready(ExportText()
                .prompt("1", "a")
                .agent("session/request_permission", options("yes", "no"), "5")
                .chunk("waiting")
                .client("session/cancel", "{}")
                .response("relay_to_agent", "5", R"("result":{"outcome":{"outcome":"cancelled"}})")
                .end("1", "cancelled"));
  player.take_lines();
  player.take(permission(options("yes", "no")));
  EXPECT_THAT(player.take_lines(), IsEmpty());
  player.take(kChunk);
  EXPECT_THAT(player.take_lines(),
              ElementsAre(HasSubstr("session/cancel"), HasSubstr(R"("outcome":"cancelled")")));
}

TEST(Player, WhatTheRelayAnsweredForASubAgentWaitsForNoCancelOfTheTurn) {
  const std::string of_child =
      R"({"sessionId":"sess_00112233445566778899aabbccddeeff.kid","options":[]})";
  const std::string cancelled = R"("result":{"outcome":{"outcome":"cancelled"}})";
  Player player = ready(
      ExportText()
          .prompt("1", "a")
          .agent("session/request_permission", of_child, "5")
          .client("session/cancel", R"({"sessionId":"sess_00112233445566778899aabbccddeeff.kid"})")
          .response("relay_to_agent", "5", cancelled)
          .chunk("goes on")
          .client("session/cancel", "{}")
          .end("1", "cancelled"));
  player.take_lines();
  player.take(permission(R"({"sessionId":"kid","options":[]})"));
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr(R"("outcome":"cancelled")")));
  player.take(kChunk);
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr("session/cancel")));
}

TEST(Player, AnswersOtherQuestionsAsRecordedAndRefusesMore) {
  Player player = ready(ExportText()
                            .prompt("1", "a")
                            .agent("fs/read_text_file", "{}", "5")
                            .response("client_to_relay", "5", R"("result":{"content":"c"})")
                            .end("1", "end_turn"));
  player.take_lines();
  const std::string question =
      R"({"jsonrpc":"2.0","id":0,"method":"fs/read_text_file","params":{}})";
  player.take(question);
  EXPECT_THAT(player.take_lines(),
              ElementsAre(R"({"jsonrpc":"2.0","id":0,"result":{"content":"c"}})"));
  player.take(question);
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr("-32601")));
  EXPECT_EQ(player.take_notes().size(), 1u);
}

TEST(Player, WaitsAsLongAsTheClientDid) {
  Player player = ready(
      ExportText().later(10).prompt("1", "a").end("1", "end_turn").later(1500).prompt("2", "b"),
      true);
  player.take_lines();
  player.take(answer(3));
  ASSERT_EQ(player.pause(), std::chrono::milliseconds(1500));
  EXPECT_THAT(player.take_lines(), IsEmpty());
  player.resume();
  EXPECT_FALSE(player.pause());
  EXPECT_THAT(player.take_lines(), ElementsAre(HasSubstr(R"("text":"b")")));
}

TEST(Player, SaysWhyThereIsNoSession) {
  const Recording recording = ExportText().prompt("1", "a").read();
  Player refused(recording, {"/here"});
  refused.take(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"log in first"}})");
  ASSERT_TRUE(refused.failure());
  EXPECT_THAT(refused.failure()->text, HasSubstr("log in first"));
  Player dead(recording, {"/here"});
  dead.lost("agent_exited");
  EXPECT_TRUE(dead.failure());
}

TEST(Player, AnAgentThatEndsEndsTheTurn) {
  Player player = ready(ExportText().prompt("1", "a").end("1", "end_turn").prompt("2", "b"));
  player.lost("agent_exited");
  EXPECT_TRUE(player.done());
  EXPECT_FALSE(player.failure());
  EXPECT_FALSE(player.played_all());
  ASSERT_EQ(player.transcript().turns().size(), 1u);
  EXPECT_EQ(player.transcript().turns()[0].stop, "error agent_exited");
}

TEST(Player, KnowsWhetherAnAgentThatEndsHadPlayedAll) {
  const std::string exited =
      R"("error":{"code":-32603,"message":"m","data":{"error_type":"agent_exited"}})";
  struct Case {
    const char* what;
    ExportText recorded;
    const char* lost;
    bool played_all;
  };
  const Case cases[] = {
      {"it ended as recorded",
       ExportText().prompt("1", "a").response("agent_to_relay", "1", exited), "agent_exited", true},
      {"the connection broke",
       ExportText().prompt("1", "a").response("agent_to_relay", "1", exited), "connection_lost",
       false},
      {"it was to answer", ExportText().prompt("1", "a").end("1", "end_turn"), "agent_exited",
       false},
      {"the recorded one was started again",
       ExportText()
           .prompt("1", "a")
           .response("agent_to_relay", "1", exited)
           .prompt("2", "b")
           .end("2", "end_turn"),
       "agent_exited", false},
      {"the recording ends in the turn", ExportText().prompt("1", "a"), "agent_exited", false},
      {"a mode was not set",
       ExportText().client("session/set_mode", "{}", "1").response("agent_to_relay", "1", exited),
       "agent_exited", false},
  };
  for (const Case& row : cases) {
    Player player = ready(row.recorded);
    player.lost(row.lost);
    EXPECT_TRUE(player.done()) << row.what;
    EXPECT_EQ(player.played_all(), row.played_all) << row.what;
  }
}

TEST(Player, LeavesOutWhatIsNoMessage) {
  Player player = ready(ExportText().prompt("1", "a").end("1", "end_turn"));
  for (const char* line : {"", "garbage", "[]", "{}", R"({"jsonrpc":"2.0","id":99,"result":{}})"}) {
    player.take(line);
  }
  player.take(answer(3));
  EXPECT_TRUE(player.done());
  EXPECT_EQ(player.transcript().turns().at(0).events.size(), 1u);
}

}  // namespace
}  // namespace relay::cli
