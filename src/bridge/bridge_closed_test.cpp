// Sessions that the relay closes, and for which it may start another agent.
#include "bridge/testing/bridge_fixture.hpp"

namespace relay::bridge {
namespace {

using ::testing::AllOf;
using testing::BridgeTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::result;
using ::testing::SizeIs;

class BridgeClosedTest : public BridgeTest {
 protected:
  void prompt(const std::string& id, const std::string& session = "s") {
    bridge_.from_editor(R"({"jsonrpc":"2.0","id":)" + id +
                        R"(,"method":"session/prompt","params":{"sessionId":")" + session + "\"}}");
    ASSERT_THAT(sent(), ElementsAre(HasSubstr("session/prompt")));
  }
  void notify(const std::string& method, int number, const std::string& rest = "",
              const std::string& session = "s") {
    bridge_.from_relay(R"({"jsonrpc":"2.0","method":")" + method +
                       R"(","params":{"_meta":{"acp-relay/seq":)" + std::to_string(number) +
                       R"(},"sessionId":")" + session + "\"" + rest + "}}");
  }
  void update(int number) { notify("session/update", number); }
  void close(int number, const std::string& session = "s") {
    notify("_acp-relay/session_closed", number, R"(,"cause":"agent_exited: code 1")", session);
  }
};

TEST_F(BridgeClosedTest, ResumesASessionThatGoesOnWithAPrompt) {
  const struct {
    bool closed_first;
    bool updated;
    const char* after;
  } table[] = {{true, false, "5"}, {true, true, "6"}, {false, false, "5"}, {false, true, "6"}};
  for (const auto& row : table) {
    bridge_ = Bridge("p");
    make_session();
    if (row.closed_first) close(5);
    prompt("7");
    if (!row.closed_first) close(5);  // it waits until the agent has ended
    if (row.updated) update(6);
    EXPECT_THAT(shown(), SizeIs(row.updated ? 2 : 1));
    reconnect("4");
    EXPECT_THAT(shown(), IsEmpty());
    EXPECT_THAT(
        sent(),
        ElementsAre(
            R"({"jsonrpc":"2.0","id":"p-5","method":"session/resume","params":{"sessionId":"s","cwd":"/w","mcpServers":[{"name":"m"}],"_meta":{"acp-relay/after":)" +
            std::string(row.after) + R"(,"acp-relay/requests":["p-3"]}}})"));
    bridge_.from_relay(result(R"("p-5")", R"({"_meta":{"acp-relay/requests":["p-3"]}})"));
    EXPECT_THAT(sent(), IsEmpty()) << "the relay has it";
    bridge_.from_relay(result(R"("p-3")", R"({"stopReason":"end_turn"})"));
    EXPECT_THAT(shown(), ElementsAre(result("7", R"({"stopReason":"end_turn"})")));
  }
}

TEST_F(BridgeClosedTest, ResumesASessionThatWentOn) {
  make_session();
  close(5);
  prompt("7");
  bridge_.from_relay(
      result(R"("p-3")", R"({"_meta":{"acp-relay/seq":8},"stopReason":"end_turn"})"));
  reconnect("4");
  EXPECT_THAT(sent(),
              ElementsAre(AllOf(HasSubstr("session/resume"), HasSubstr(R"("acp-relay/after":8)"))));
}

TEST_F(BridgeClosedTest, DoesNotResumeWhatTheRelayDoesNotGoOnWith) {
  make_session();
  close(5);
  prompt("7");
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":"p-3","error":{"code":-32603,"message":"it is closed"}})");
  reconnect("4");
  EXPECT_THAT(sent(), IsEmpty());
  prompt("8");
  update(6);
  close(7);
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":"p-5","error":{"code":-32603,"message":"it ended again"}})");
  reconnect("6");
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(BridgeClosedTest, RemembersTheSessionsThatWereClosedLast) {
  initialize();
  constexpr int kSessions = 150;
  for (int i = 0; i < kSessions; ++i) {
    const std::string session = "s" + std::to_string(i);
    bridge_.from_editor(R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/w"}})");
    ASSERT_THAT(sent(), SizeIs(1));
    bridge_.from_relay(
        result("\"p-" + std::to_string(i + 2) + "\"", R"({"sessionId":")" + session + "\"}"));
    close(3, session);
    ASSERT_THAT(shown(), SizeIs(2));
  }
  prompt("7", "s0");
  prompt("8", "s" + std::to_string(kSessions - 1));
  reconnect(std::to_string(kSessions + 4));
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":7,"error")")));
  EXPECT_THAT(sent(), ElementsAre(AllOf(HasSubstr("session/resume"), HasSubstr(R"("s149")"))));
}

TEST_F(BridgeClosedTest, GoesOnWithALoadThatToldOfAnEarlierEnd) {
  initialize();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":1,"method":"session/load","params":{"sessionId":"s","cwd":"/w"}})");
  sent();
  const auto replay = [this] {
    update(1);
    close(2);
    update(3);
  };
  replay();
  EXPECT_THAT(shown(), SizeIs(3));
  reconnect("3");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/load")));
  replay();
  EXPECT_THAT(shown(), IsEmpty()) << "the editor has it";
  update(4);
  EXPECT_THAT(shown(), SizeIs(1));
}

}  // namespace
}  // namespace relay::bridge
