#include "bridge/testing/bridge_fixture.hpp"

namespace relay::bridge {
namespace {

using ::testing::AllOf;
using testing::BridgeTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kGreeting;
using testing::kInitialize;
using testing::result;
using ::testing::SizeIs;

TEST_F(BridgeTest, AsksForSequenceNumbersAndKeepsTheRestOfInitialize) {
  bridge_.connected();
  bridge_.from_editor(
      R"({ "jsonrpc":"2.0", "id":1.0, "method":"initialize", "params":{"x":1e400,"clientCapabilities":{}} })");
  EXPECT_THAT(
      sent(),
      ElementsAre(
          R"({ "jsonrpc":"2.0", "id":"p-1", "method":"initialize", "params":{"x":1e400,"clientCapabilities":{"_meta":{"acp-relay/seq":true}}} })"));
  bridge_.from_relay(result(R"("p-1")", kGreeting));
  EXPECT_THAT(shown(), ElementsAre(result("1.0", kGreeting)));
}

TEST_F(BridgeTest, WaitsForAConnectionAndForInitialize) {
  bridge_.from_editor(kInitialize);
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":2,"method":"session/list","params":{}})");
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_TRUE(bridge_.wants_connection());
  bridge_.connected();
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("initialize")));
  EXPECT_THAT(sent(), IsEmpty());
  bridge_.from_relay(result(R"("p-1")", kGreeting));
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/list")));
}

TEST_F(BridgeTest, WantsInitializeFirstAndOnce) {
  EXPECT_FALSE(bridge_.wants_connection());
  bridge_.connected();
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":2,"method":"session/list"})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"session/cancel"})");
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":2,"error":{"code":-32600)")));
  EXPECT_THAT(sent(), IsEmpty());
  bridge_.from_editor(kInitialize);
  EXPECT_THAT(sent(), SizeIs(1));
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":"p-1","error":{"code":-32603,"message":"no agent"}})");
  EXPECT_THAT(
      shown(),
      ElementsAre(R"({"jsonrpc":"2.0","id":"i","error":{"code":-32603,"message":"no agent"}})"));
  bridge_.from_editor(kInitialize);
  EXPECT_THAT(sent(), SizeIs(1)) << "it may try again";
  bridge_.from_relay(result(R"("p-2")", kGreeting));
  bridge_.from_editor(kInitialize);
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("id":"p-3")"))) << "the relay refuses it";
}

TEST_F(BridgeTest, AnswersWhatWasSaidBehindAnInitializeThatIsRefused) {
  bridge_.connected();
  bridge_.from_editor(kInitialize);
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":2,"method":"session/new","params":{"cwd":"/w"}})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":3,"method":"session/list"})");
  EXPECT_THAT(sent(), SizeIs(1));
  const std::string error = R"("error":{"code":-32603,"message":"no agent"}})";
  bridge_.from_relay(R"({"jsonrpc":"2.0","id":"p-1",)" + error);
  EXPECT_THAT(shown(), ElementsAre(R"({"jsonrpc":"2.0","id":"i",)" + error,
                                   R"({"jsonrpc":"2.0","id":2,)" + error,
                                   R"({"jsonrpc":"2.0","id":3,)" + error));
  EXPECT_TRUE(bridge_.idle());
  EXPECT_FALSE(bridge_.wants_connection());
  bridge_.from_editor(kInitialize);
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("initialize")));
}

TEST_F(BridgeTest, AnswersWhatIsNoMessage) {
  initialize();
  const std::pair<const char*, const char*> table[] = {
      {"nonsense", R"("id":null,"error":{"code":-32700)"},
      {"{\"jsonrpc\":\"2.0\",", R"("id":null,"error":{"code":-32700)"},
      {R"([{"jsonrpc":"2.0","id":1,"method":"x"}])", R"("id":null,"error":{"code":-32600)"},
      {R"({"id":"7","method":"x"})", R"("id":"7","error":{"code":-32600)"},
      {"42", R"("id":null,"error":{"code":-32600)"},
  };
  for (const auto& [line, answer] : table) {
    bridge_.from_editor(line);
    EXPECT_THAT(shown(), ElementsAre(HasSubstr(answer))) << line;
  }
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(BridgeTest, TellsIdsApartByTheirType) {
  initialize();
  for (const std::string id : {"1", R"("1")", "null", "-3", "1.0", R"("\u0031")"}) {
    bridge_.from_editor(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"_x/echo"})");
  }
  EXPECT_THAT(sent(), SizeIs(6));
  bridge_.from_relay(result(R"("p-7")", "7"));
  bridge_.from_relay(result(R"("p-3")", "3"));
  bridge_.from_relay(result(R"("p-2")", "2"));
  bridge_.from_relay(result(R"("p-2")", "2"));
  bridge_.from_relay(result("2", "9"));
  EXPECT_THAT(shown(),
              ElementsAre(result(R"("\u0031")", "7"), result(R"("1")", "3"), result("1", "2")))
      << "an answer twice, and one to another client, are not the editor's";
}

// But for escapes in the method, see Frame.
TEST_F(BridgeTest, CarriesEverythingElseByteForByte) {
  make_session();
  bridge_.from_editor(
      "{\"params\" : {\"sessionId\":\"s\",\"n\":[1e5, 12345678901234567890, \"\\u00e9\\/\"]},"
      "\"method\":\"session\\/prompt\", \"id\":9 , \"jsonrpc\":\"2.0\"}");
  EXPECT_THAT(sent(),
              ElementsAre("{\"params\" : {\"sessionId\":\"s\",\"n\":[1e5, 12345678901234567890, "
                          "\"\\u00e9\\/\"]},\"method\":\"session/prompt\", \"id\":\"p-3\" , "
                          "\"jsonrpc\":\"2.0\"}"));
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","_meta":{"acp-relay/seq":4,"k":1e1},"t":"acp-relay/seq"}})");
  EXPECT_THAT(
      shown(),
      ElementsAre(
          R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","_meta":{"k":1e1},"t":"acp-relay/seq"}})"));
}

TEST_F(BridgeTest, MapsIdsInsideParams) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":5}})");
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"5"}})");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("id":"p-3")"), HasSubstr(R"({"requestId":"p-3"})")))
      << "there is no request \"5\"";
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":44,"method":"elicitation/create","params":{"requestId":"p-3","mode":"url"}})");
  bridge_.from_relay(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":44}})");
  bridge_.from_relay(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":45}})");
  EXPECT_THAT(
      shown(),
      ElementsAre(HasSubstr(R"("id":1,"method":"elicitation/create","params":{"requestId":5,)"),
                  HasSubstr(R"({"requestId":1})")));
}

TEST_F(BridgeTest, AnswersAQuestionOnceUnderTheRelaysId) {
  make_session();
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":"r-7","method":"session/request_permission","params":{"sessionId":"s"}})");
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":1,"method":"session/request_permission")")));
  for (const char* id : {"2", R"("1")", "1", "1"}) bridge_.from_editor(result(id, R"({"o":1e1})"));
  EXPECT_THAT(sent(), ElementsAre(result(R"("r-7")", R"({"o":1e1})")));
  EXPECT_NE(mark_, 0u) << "it wants to know that the answer arrived";
}

TEST_F(BridgeTest, ResumesWithWhatTheSessionWasMadeWith) {
  make_session();
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","method":"session/update","params":{"_meta":{"acp-relay/seq":4},"sessionId":"s"}})");
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  sent();
  reconnect("4");
  EXPECT_THAT(
      sent(),
      ElementsAre(
          R"({"jsonrpc":"2.0","id":"p-5","method":"session/resume","params":{"sessionId":"s","cwd":"/w","mcpServers":[{"name":"m"}],"_meta":{"acp-relay/after":4,"acp-relay/requests":["p-3"]}}})"));
  bridge_.from_relay(result(R"("p-5")", R"({"_meta":{"acp-relay/requests":["p-3"]}})"));
  EXPECT_THAT(sent(), IsEmpty()) << "the relay has it";
  bridge_.from_relay(result(R"("p-3")", R"({"stopReason":"end_turn"})"));
  EXPECT_THAT(shown(), SizeIs(2));
  EXPECT_TRUE(bridge_.idle());
}

TEST_F(BridgeTest, TakesUpAForkBehindItsAnswer) {
  make_session();
  const std::string fork =
      R"("method":"session/fork","params":{"sessionId":"s","cwd":"/f","mcpServers":[]}})";
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":7,)" + fork);
  sent();
  reconnect("4");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("method":"session/resume")")));
  bridge_.from_relay(result(R"("p-5")", "{}"));
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("id":"p-3","method":"session/fork")")))
      << "sent again: it makes a session, which nobody knows of";
  bridge_.from_relay(result(R"("p-3")", R"({"_meta":{"acp-relay/seq":9},"sessionId":"f"})"));
  EXPECT_THAT(shown(), ElementsAre(result("7", R"({"sessionId":"f"})")));
  reconnect("6");
  EXPECT_THAT(sent(), ::testing::Contains(AllOf(HasSubstr(R"("sessionId":"f","cwd":"/f")"),
                                                HasSubstr(R"("acp-relay/after":9)"))));
}

TEST_F(BridgeTest, SendsAgainWhatTheRelayHasNotAndThenWhatCameMeanwhile) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  sent();
  bridge_.dropped({});
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":6,"method":"session/list"})");
  reconnect("5");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume"), HasSubstr("session/list")))
      << "what belongs to the session waits for it";
  bridge_.from_relay(result(R"("p-6")", "{}"));
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("id":"p-3")"), HasSubstr("session/cancel")));
}

TEST_F(BridgeTest, AuthenticatesAgainBeforeItResumes) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"authenticate","params":{"methodId":"m"}})");
  sent();
  bridge_.from_relay(result(R"("p-3")", "{}"));
  reconnect("4");
  EXPECT_THAT(sent(),
              ElementsAre(HasSubstr(R"("method":"authenticate","params":{"methodId":"m"})")));
  bridge_.from_relay(result(R"("p-5")", "{}"));
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume")));
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":6,"method":"logout"})");
  sent();
  bridge_.from_relay(result(R"("p-7")", "{}"));
  reconnect("8");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume")));
}

TEST_F(BridgeTest, AnswersWithTheRelaysReasonWhenASessionCannotBeResumed) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  sent();
  reconnect("4");
  sent();
  shown();
  bridge_.from_relay(R"({"jsonrpc":"2.0","id":"p-5","error":{"code":-32002,"message":"gone"}})");
  EXPECT_THAT(shown(),
              ElementsAre(R"({"jsonrpc":"2.0","id":5,"error":{"code":-32002,"message":"gone"}})"));
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":6,"method":"session/prompt","params":{"sessionId":"s"}})");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume"))) << "the next one tries again";
  bridge_.from_relay(result(R"("p-7")", "{}"));
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/prompt")));
}

TEST_F(BridgeTest, SaysSoWhenTheRelayLostARequest) {
  make_session();
  for (const char* id : {"5", "6"}) {
    bridge_.from_editor(R"({"jsonrpc":"2.0","id":)" + std::string(id) +
                        R"(,"method":"session/prompt","params":{"sessionId":"s"}})");
  }
  sent();
  reconnect("5");
  sent();
  bridge_.from_relay(result(
      R"("p-6")", R"({"_meta":{"acp-relay/requests":["p-3","p-4"],"acp-relay/lost":["p-3"]}})"));
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("error_type":"relay_restarted")")));
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_FALSE(bridge_.idle()) << "the other one is worked on";
}

TEST_F(BridgeTest, SaysSoWhenTheFateOfARequestIsUnknown) {
  make_session();
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":5,"method":"_x/launch"})");
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":6,"method":"session/prompt","params":{"sessionId":"other"}})");
  sent();
  bridge_.dropped({});
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":5,"error":{"code":-32603)"),
                                   HasSubstr(R"("id":6,"error":{"code":-32603)")));
}

TEST_F(BridgeTest, EndsASessionWithoutResumingIt) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/close","params":{"sessionId":"s"}})");
  sent();
  reconnect("4");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("id":"p-3","method":"session/close")")));
  bridge_.from_relay(result(R"("p-3")", "{}"));
  reconnect("5");
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(BridgeTest, ForgetsASessionThatEndedUnlessTheRelayOnlyStops) {
  for (const bool stops : {false, true}) {
    bridge_ = Bridge("p");
    make_session();
    const std::string cause = stops ? "relay_shutdown" : "agent_exited: code 1";
    bridge_.from_relay(
        R"({"jsonrpc":"2.0","method":"_acp-relay/session_closed","params":{"sessionId":"s","cause":")" +
        cause + "\"}}");
    EXPECT_THAT(shown(), SizeIs(1));
    reconnect("3");
    EXPECT_THAT(sent(), SizeIs(stops ? 1 : 0));
  }
}

constexpr const char* kQuestion =
    R"({"jsonrpc":"2.0","id":1,"method":"session/request_permission","params":{"_meta":{"acp-relay/seq":4},"sessionId":"s","tool":"a"}})";

TEST_F(BridgeTest, GivesAnAnswerThatCameMeanwhileWhenTheQuestionComesAgain) {
  make_session();
  bridge_.from_relay(kQuestion);
  EXPECT_THAT(shown(), SizeIs(1));
  bridge_.dropped({});
  bridge_.from_editor(result("1", R"("yes")"));
  reconnect("3");
  sent();
  bridge_.from_relay(result(R"("p-4")", "{}"));
  EXPECT_THAT(sent(), IsEmpty());
  bridge_.from_relay(kQuestion);
  EXPECT_THAT(shown(), IsEmpty());
  EXPECT_THAT(sent(), ElementsAre(result("1", R"("yes")")));
}

TEST_F(BridgeTest, ShowsAnotherQuestionUnderAnIdThatWasUsedBefore) {
  make_session();
  bridge_.from_relay(kQuestion);
  shown();
  bridge_.dropped({});
  bridge_.from_editor(result("1", R"("yes")"));
  reconnect("3");
  sent();
  bridge_.from_relay(result(R"("p-4")", "{}"));
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":1,"method":"session/request_permission","params":{"_meta":{"acp-relay/seq":9},"sessionId":"s","tool":"b"}})");
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":2,)")));
  EXPECT_THAT(sent(), IsEmpty()) << "the answer was to something else";
  bridge_.from_editor(result("2", R"("no")"));
  EXPECT_THAT(sent(), ElementsAre(result("1", R"("no")")));
}

TEST_F(BridgeTest, DoesNotRepeatANotificationThatArrived) {
  make_session();
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"_x/note"})");
  sent();
  bridge_.acknowledged(mark_);
  reconnect("3");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume")));
  bridge_.from_relay(result(R"("p-4")", "{}"));
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"_x/note"})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":7,"method":"session/list"})");
  EXPECT_THAT(sent(), SizeIs(2));
  bridge_.from_relay(result(R"("p-5")", "{}"));
  reconnect("6");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume"))) << "the later request was answered";
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"_x/note"})");
  sent();
  reconnect("8");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("session/resume"), HasSubstr("_x/note")))
      << "nobody knows";
}

TEST_F(BridgeTest, AnswersTheMessageThatIsTooBigForTheRelay) {
  make_session();
  const std::string big(100'000, 'x');
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s","t":")" + big +
      "\"}}");
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":6,"method":"session/prompt","params":{"sessionId":"s"}})");
  sent();
  bridge_.dropped({true});
  EXPECT_THAT(shown(), ElementsAre(HasSubstr("message_too_large")));
  EXPECT_FALSE(bridge_.idle()) << "the other one is sent again";
}

TEST_F(BridgeTest, AnswersForAnAnswerThatIsTooBigForTheRelay) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  bridge_.from_relay(kQuestion);
  bridge_.from_editor(result("1", '"' + std::string(100'000, 'x') + '"'));
  EXPECT_THAT(sent(), SizeIs(2));
  shown();
  bridge_.dropped({true});
  EXPECT_THAT(shown(), IsEmpty()) << "the prompt is not to blame";
  reconnect("4");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("acp-relay/requests":["p-3"])")));
  bridge_.from_relay(result(R"("p-5")", R"({"_meta":{"acp-relay/requests":["p-3"]}})"));
  bridge_.from_relay(kQuestion);
  EXPECT_THAT(sent(),
              ElementsAre(AllOf(HasSubstr(R"("id":1,"error")"), HasSubstr("message_too_large"))));
  EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(BridgeTest, ReplacesAConnectionThatIsRefused) {
  make_session();
  bridge_.dropped({});
  bridge_.connected();
  sent();
  EXPECT_FALSE(bridge_.take_trouble());
  bridge_.from_relay(
      R"({"jsonrpc":"2.0","id":"p-3","error":{"code":-32603,"message":"no agent"}})");
  const auto trouble = bridge_.take_trouble();
  ASSERT_TRUE(trouble);
  EXPECT_THAT(trouble->explanation, HasSubstr("no agent"));
  EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(BridgeTest, AnswersEverythingWhenItGivesUp) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  bridge_.give_up(make_error(ErrorType::kInternalError, "no relay").suggest("start it"));
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":6,"method":"session/list"})");
  bridge_.from_editor(R"({"jsonrpc":"2.0","method":"session/cancel"})");
  EXPECT_THAT(shown(),
              ElementsAre(HasSubstr(R"("id":5,"error":{"code":-32603,"message":"no relay")"),
                          HasSubstr(R"("id":6,"error")")));
  EXPECT_TRUE(bridge_.idle());
  EXPECT_FALSE(bridge_.wants_connection());
}

TEST_F(BridgeTest, DropsWhatTheRelayShouldNotHaveSent) {
  make_session();
  bridge_.from_relay("nonsense");
  EXPECT_THAT(shown(), IsEmpty());
  EXPECT_THAT(bridge_.take_notes(), ElementsAre(HasSubstr("not valid JSON")));
}

// Its limits are the configuration's, which this side does not know.
TEST_F(BridgeTest, LeavesDepthAndLengthOfIdsToTheRelay) {
  make_session();
  const std::string deep = std::string(600, '[') + std::string(600, ']');
  const std::string id = '"' + std::string(2000, 'i') + '"';
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":)" + id +
                      R"(,"method":"session/prompt","params":{"sessionId":"s","x":)" + deep + "}}");
  EXPECT_THAT(sent(), ElementsAre(AllOf(HasSubstr(R"("id":"p-3")"), HasSubstr(deep))));
  bridge_.from_relay(result(R"("p-3")", deep));
  EXPECT_THAT(shown(), ElementsAre(result(id, deep)));
  EXPECT_TRUE(bridge_.idle());
}

// Sent, it would end the connection, with all that is under way on it.
TEST_F(BridgeTest, RefusesWhatTheRelaySaysThatItDoesNotTake) {
  bridge_.connected();
  bridge_.from_editor(kInitialize);
  EXPECT_EQ(sent().size(), 1u);
  bridge_.from_relay(result(R"("p-1")", R"({"_meta":{"acp-relay":{"maxMessageBytes":100}}})"));
  EXPECT_EQ(shown().size(), 1u);
  const auto call = [](std::size_t bytes) {
    const std::string head = R"({"jsonrpc":"2.0","id":5,"method":"session/new","params":{"t":")";
    return head + std::string(bytes - head.size() - 3, 'x') + "\"}}";
  };
  const std::size_t longer = std::string(R"("p-2")").size() - 1;  // the id as it is sent
  bridge_.from_editor(call(101 - longer));
  EXPECT_THAT(shown(), ElementsAre(HasSubstr("server.max_message_bytes")));
  EXPECT_TRUE(sent().empty());
  bridge_.from_editor(call(100 - longer));
  const Lines lines = sent();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].size(), 100u);
}

TEST_F(BridgeTest, LeavesTheSizeOfAMessageToTheRelay) {
  make_session();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s","t":")" +
      std::string(40u << 20, 'x') + "\"}}");
  EXPECT_TRUE(shown().empty());
  EXPECT_EQ(sent().size(), 1u);
}

}  // namespace
}  // namespace relay::bridge
