// Whose message goes where, with which ids.
#include "session/message_router.hpp"

#include "protocol/rpc.hpp"
#include "session/routed_session.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kRelay(RoutedSession::kRelayId);
const std::string kAgent(RoutedSession::kAgentId);

class MessageRouterFixture : public testing::Test {
 protected:
  ~MessageRouterFixture() override { EXPECT_THAT(session_.broken(), IsEmpty()); }
  RoutedSession session_;
};

TEST(MessageRouter, SendsAnAnswerOnlyToTheClientThatAsked) {
  RoutedSession session;
  const ClientId a = session.join();
  const ClientId b = session.join();
  session.client(a, rpc::request("7", "x/ask", "{}"));
  EXPECT_THAT(session.take_agent(), ElementsAre(rpc::request("1", "x/ask", "{}")));
  session.agent(rpc::result("1", R"({"n":1})"));
  EXPECT_THAT(session.take(a), ElementsAre(rpc::result("7", R"({"n":1})")));
  EXPECT_THAT(session.take(b), IsEmpty());
  EXPECT_THAT(session.broken(), IsEmpty());
}

TEST_F(MessageRouterFixture, KeepsIdsOfTwoClientsApartAndAsTheyAreSpelled) {
  const std::vector<std::string> ids = {"1",     R"("1")", "null",        "9007199254740993", "1e3",
                                        R"("")", "-0",     R"("\u0031")", R"("a\"b")"};
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  for (const std::string& id : ids) {
    session_.client(a, rpc::request(id, "x/a", "{}"));
    session_.client(b, rpc::request(id, "x/b", "{}"));
  }
  EXPECT_THAT(session_.take_agent(), SizeIs(ids.size() * 2));
  for (std::size_t i = ids.size(); i-- > 0;) {  // answered the other way round
    session_.agent(rpc::result(std::to_string(i * 2 + 2), "\"b\""));
    session_.agent(rpc::result(std::to_string(i * 2 + 1), "\"a\""));
    EXPECT_THAT(session_.take(a), ElementsAre(rpc::result(ids[i], "\"a\"")));
    EXPECT_THAT(session_.take(b), ElementsAre(rpc::result(ids[i], "\"b\"")));
  }
}

TEST_F(MessageRouterFixture, PassesErrorsOfTheAgentThrough) {
  const ClientId a = session_.join();
  session_.client(a, rpc::request("\"q\"", "x/ask", "{}"));
  session_.agent(R"({"jsonrpc":"2.0","error":{"code":-32000,"message":"m","data":1e400},"id":1})");
  EXPECT_THAT(
      session_.take(a),
      ElementsAre(
          R"({"jsonrpc":"2.0","error":{"code":-32000,"message":"m","data":1e400},"id":"q"})"));
}

TEST_F(MessageRouterFixture, RefusesAnIdThatIsStillInUseAndTakesItAfterwards) {
  const ClientId a = session_.join();
  session_.client(a, rpc::request("1", "x/ask", "{}"));
  session_.client(a, rpc::request("1", "x/again", "{}"));
  EXPECT_THAT(session_.take(a),
              ElementsAre(AllOf(HasSubstr(R"("id":1,)"), HasSubstr(R"("code":-32600)"))));
  EXPECT_THAT(session_.take_agent(), SizeIs(1));
  session_.agent(rpc::result("1", "{}"));
  session_.take(a);
  session_.client(a, rpc::request("1", "x/again", "{}"));
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take_agent(), SizeIs(1));
}

TEST(MessageRouter, BoundsTheUnansweredRequestsOfOneClient) {
  RouterLimits limits;
  limits.max_pending_requests = 2;
  RoutedSession session(limits);
  const ClientId a = session.join();
  const ClientId b = session.join();
  for (const std::string id : {"1", "2", "3"}) session.client(a, rpc::request(id, "x/ask", "{}"));
  EXPECT_THAT(session.take(a),
              ElementsAre(AllOf(HasSubstr(R"("id":3,)"), HasSubstr(R"("code":-32600)"),
                                HasSubstr("sessions.max_pending_requests"))));
  session.client(b, rpc::request("1", "x/ask", "{}"));
  EXPECT_THAT(session.take(b), IsEmpty());
  session.agent(rpc::result("1", "{}"));
  session.take(a);
  session.client(a, rpc::request("3", "x/ask", "{}"));
  EXPECT_THAT(session.take(a), IsEmpty());
}

TEST(MessageRouter, ForgetsTheOldestOfWhatClientsLeaveUnansweredBehind) {
  RouterLimits limits;
  limits.max_pending_requests = 2;
  RoutedSession session(limits);
  const ClientId a = session.join();
  for (const std::string id : {"1", "2", "3"}) {
    const ClientId visitor = session.join();
    session.client(visitor, rpc::request(id, "x/ask", "{}"));
    session.leave(visitor);
  }
  const storage::MessageRecord& last = session.records().back();
  EXPECT_EQ(last.kind, storage::MessageKind::kResponse) << "the request is closed in the log";
  EXPECT_EQ(last.call, 1);
  EXPECT_EQ(last.rpc_id, "1");
  EXPECT_THAT(std::string(last.body.view()),
              AllOf(HasSubstr("clients that have left"), HasSubstr("max_pending_requests")));
  EXPECT_FALSE(session.router.waits("1"));
  EXPECT_TRUE(session.router.waits("2"));
  EXPECT_THAT(session.take(a), IsEmpty());

  session.take_agent();
  session.client(a, rpc::request("4", "x/ask", "{}"));
  EXPECT_THAT(session.take(a), IsEmpty()) << "who is there is not held up by who has left";
  EXPECT_THAT(session.take_agent(), SizeIs(1));
  session.agent(rpc::result("1", "{}"));
  EXPECT_EQ(session.skipped(), 1u);
  EXPECT_EQ(session.misunderstood(), 0u) << "that it comes late is no fault that matters now";
  session.agent(rpc::result("99", "{}"));
  EXPECT_EQ(session.misunderstood(), 1u);
  session.agent(rpc::result("2", "{}"));
  session.agent(rpc::result("4", "{}"));
  EXPECT_EQ(session.skipped(), 2u);
  EXPECT_THAT(session.take(a), ElementsAre(rpc::result("4", "{}")));
  EXPECT_THAT(session.broken(), IsEmpty());
}

TEST(MessageRouter, ForgetsNoPromptOfWhoHasLeft) {
  RouterLimits limits;
  limits.max_pending_requests = 1;
  RoutedSession session(limits);
  const ClientId a = session.join();
  for (const std::string id : {"1", "2"}) {
    const ClientId visitor = session.join();
    session.prompt(visitor, id);
    session.leave(visitor);
  }
  for (const std::string id : {"3", "4"}) {
    const ClientId visitor = session.join();
    session.client(visitor, rpc::request(id, "x/ask", "{}"));
    session.leave(visitor);
  }
  EXPECT_FALSE(session.router.waits("3"));
  EXPECT_TRUE(session.router.waits("1"));
  EXPECT_TRUE(session.router.waits("2"));
  session.agent(rpc::result("1", R"({"stopReason":"end_turn"})"));
  EXPECT_EQ(session.skipped(), 0u);
  EXPECT_TRUE(session.router.turn_running()) << "the next one has its turn";
  session.take(a);
  session.prompt(a, "5");
  session.client(a, rpc::request("6", "session/cancel", "{}"));
  session.agent(rpc::result("2", R"({"stopReason":"cancelled"})"));
  EXPECT_FALSE(session.router.turn_running());
  EXPECT_THAT(session.take(a), Contains(rpc::result("5", R"({"stopReason":"cancelled"})")));
  EXPECT_THAT(session.broken(), IsEmpty());
}

TEST(MessageRouter, BoundsWhatIsKeptOfAllRequestsInBytes) {
  RouterLimits limits;
  limits.max_pending_bytes = 10'000;
  RoutedSession session(limits);
  const auto set_mode = [&](ClientId client, std::size_t length) {
    session.client(client, rpc::request("1", "session/set_mode",
                                        R"({"modeId":")" + std::string(length, 'x') + "\"}"));
  };
  const ClientId gone = session.join();
  set_mode(gone, 4'000);
  session.leave(gone);
  set_mode(session.join(), 4'000);
  set_mode(session.join(), 4'000);
  const ClientId a = session.join();
  session.take_agent();
  set_mode(a, 4'000);
  EXPECT_THAT(session.take(a), ElementsAre(HasSubstr("sessions.max_pending_bytes")));
  EXPECT_THAT(session.take_agent(), IsEmpty());
  set_mode(a, 100'000);
  EXPECT_THAT(session.take(a), IsEmpty()) << "of so long a mode nothing is kept";
  EXPECT_THAT(session.take_agent(), SizeIs(1)) << "but the agent gets it";
}

TEST_F(MessageRouterFixture, TellsOfAModeAlsoWhenItsClientHasLeft) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.client(a, rpc::request("1", "session/set_mode", R"({"modeId":"ask"})"));
  session_.leave(a);
  session_.agent(rpc::result("1", "{}"));
  EXPECT_THAT(session_.take(b),
              ElementsAre(AllOf(HasSubstr("current_mode_update"), HasSubstr(R"("ask")"))));
}

TEST_F(MessageRouterFixture, TranslatesTheSessionIdBothWays) {
  const ClientId a = session_.join();
  session_.client(
      a, R"({"jsonrpc":"2.0","id":1,"method":"session/set_mode","params":{"sessionId":")" + kRelay +
             R"(","text":"see )" + kRelay + R"(","list":[")" + kRelay + R"("]}})");
  EXPECT_THAT(
      session_.take_agent(),
      ElementsAre(R"({"jsonrpc":"2.0","id":1,"method":"session/set_mode","params":{"sessionId":")" +
                  kAgent + R"(","text":"see )" + kRelay + R"(","list":[")" + kAgent + R"("]}})"));
  session_.agent(R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":")" + kAgent +
                 R"(","update":{"parentSessionId":")" + kAgent + R"(","text":"in )" + kAgent +
                 R"("}}})");
  EXPECT_THAT(session_.take(a),
              ElementsAre(R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":")" +
                          kRelay + R"(","update":{"parentSessionId":")" + kRelay +
                          R"(","text":"in )" + kAgent + R"("}}})"));
}

TEST(MessageRouter, LeavesTextAloneThatEqualsAShortSessionIdOfTheAgent) {
  RoutedSession session({}, "1");
  const ClientId a = session.join();
  session.agent(
      R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"1","update":{"text":"1","n":["1"]}}})");
  EXPECT_THAT(session.take(a),
              ElementsAre(R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":")" +
                          kRelay + R"(","update":{"text":"1","n":["1"]}}})"));
}

TEST_F(MessageRouterFixture, KeepsForeignSessionIds) {
  const ClientId a = session_.join();
  const std::string text =
      R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"another","update":{}}})";
  session_.agent(text);
  EXPECT_THAT(session_.take(a), ElementsAre(text));
}

// Ids of messages and ids of sessions may be spelled alike; each is replaced once.
TEST_F(MessageRouterFixture, TakesASessionIdAsTheIdOfARequest) {
  const ClientId a = session_.join();
  const std::string id = "\"" + kRelay + "\"";
  session_.client(a, rpc::request(id, "x/ask", R"({"a":1})"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::request("1", "x/ask", R"({"a":1})")));
  session_.agent(rpc::result("1", "2"));
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result(id, "2")));

  const std::string agents = "\"" + kAgent + "\"";
  session_.agent(rpc::request(agents, "x/reverse", R"({"a":1})"));
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::request("2", "x/reverse", R"({"a":1})")));
  session_.agent(rpc::notification("$/cancel_request", R"({"requestId":)" + agents + "}"));
  EXPECT_THAT(session_.take(a),
              ElementsAre(rpc::notification("$/cancel_request", R"({"requestId":2})")));
  session_.client(a, rpc::result("2", "3"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result(agents, "3")));
}

struct Insertion {
  std::string sent;
  std::string expected;
};

TEST_F(MessageRouterFixture, PutsTheSessionIdIntoSessionMethodsThatLackIt) {
  const std::string member = R"("sessionId":")" + kAgent + "\"";
  const std::vector<Insertion> table = {
      {R"({"jsonrpc":"2.0","method":"session/x","params":{}})",
       R"({"jsonrpc":"2.0","method":"session/x","params":{)" + member + "}}"},
      {R"({"jsonrpc":"2.0","method":"session/x","params":{  }})",
       R"({"jsonrpc":"2.0","method":"session/x","params":{)" + member + "  }}"},
      {"{\"jsonrpc\":\"2.0\",\"method\":\"session/x\",\"params\":{\r\n}}",
       R"({"jsonrpc":"2.0","method":"session/x","params":{)" + member + "  }}"},
      {R"({"jsonrpc":"2.0","method":"session/x","params":{"a":1}})",
       R"({"jsonrpc":"2.0","method":"session/x","params":{)" + member + R"(,"a":1}})"},
      {R"( { "jsonrpc":"2.0","method":"session/x"})",
       R"( {"params":{)" + member + R"(}, "jsonrpc":"2.0","method":"session/x"})"},
      {R"({"jsonrpc":"2.0","method":"session/x","params":[1]})",
       R"({"jsonrpc":"2.0","method":"session/x","params":[1]})"},
      {R"({"jsonrpc":"2.0","method":"_x/y","params":{}})",
       R"({"jsonrpc":"2.0","method":"_x/y","params":{}})"},
      {R"({"jsonrpc":"2.0","method":"_x/y"})", R"({"jsonrpc":"2.0","method":"_x/y"})"},
  };
  const ClientId a = session_.join();
  for (const Insertion& row : table) {
    session_.client(a, row.sent);
    EXPECT_THAT(session_.take_agent(), ElementsAre(row.expected)) << row.sent;
  }
}

TEST_F(MessageRouterFixture, SendsNotificationsOfTheAgentToEveryone) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  ClientTraits observer;
  observer.may_act = false;
  const ClientId c = session_.join(observer);
  const std::string text = rpc::notification("_x/news", R"({"n":0.10})");
  session_.agent(text);
  for (const ClientId one : {a, b, c}) EXPECT_THAT(session_.take(one), ElementsAre(text));
}

TEST_F(MessageRouterFixture, RefusesRequestsOfObserversAndIgnoresTheRest) {
  ClientTraits observer;
  observer.may_act = false;
  const ClientId a = session_.join(observer);
  session_.prompt(a, "1");
  EXPECT_THAT(session_.take(a),
              ElementsAre(AllOf(HasSubstr(R"("id":1,)"), HasSubstr("forbidden"))));
  session_.client(a, rpc::notification("session/cancel", "{}"));
  session_.client(a, rpc::notification("$/cancel_request", R"({"requestId":1})"));
  session_.client(a, rpc::result("1", "{}"));
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take_agent(), IsEmpty());
}

TEST_F(MessageRouterFixture, SkipsAndCountsAnswersToWhatWasNotAsked) {
  const ClientId a = session_.join();
  session_.client(a, rpc::request("1", "x/ask", "{}"));
  for (const std::string id : {"2", "\"a\"", "null", "1.5", "-1", "99999999999999999999"}) {
    session_.agent(rpc::result(id, "{}"));
  }
  EXPECT_EQ(session_.skipped(), 6u);
  EXPECT_THAT(session_.take(a), IsEmpty());
  session_.agent(rpc::result("1", "{}"));
  session_.agent(rpc::result("1", "{}"));
  EXPECT_EQ(session_.skipped(), 7u);
  EXPECT_THAT(session_.take(a), SizeIs(1));
}

TEST_F(MessageRouterFixture, KnowsAnAnswerByItsIdHoweverThatIsSpelled) {
  const ClientId a = session_.join();
  for (const std::string id : {"1.0", "\"2\"", "3e0"}) {
    session_.client(a, rpc::request("\"q\"", "x/ask", "{}"));
    session_.agent(rpc::result(id, "{}"));
    EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("\"q\"", "{}"))) << id;
  }
  EXPECT_EQ(session_.skipped(), 0u);
}

TEST_F(MessageRouterFixture, AnErrorWithoutAnIdAnswersTheOnlyRequestThatWaits) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.prompt(a, "2");  // waits behind it, and was not asked
  session_.agent(rpc::plain_error("null", -32700, "no JSON"));
  EXPECT_THAT(session_.take(a), Contains(rpc::plain_error("1", -32700, "no JSON")));
  session_.client(a, rpc::request("3", "x/ask", "{}"));
  session_.agent(rpc::plain_error("null", -32700, "no JSON"));
  EXPECT_THAT(session_.take(a), IsEmpty()) << "it may be the answer to either";
  EXPECT_EQ(session_.skipped(), 1u);
  EXPECT_EQ(session_.misunderstood(), 1u);
}

TEST_F(MessageRouterFixture, SkipsARequestOfTheAgentWhoseIdIsInUse) {
  const ClientId a = session_.join();
  session_.agent(rpc::request("5", "x/ask", "{}"));
  session_.agent(rpc::request("5", "x/ask", "{}"));
  EXPECT_THAT(session_.take(a), SizeIs(1));
  EXPECT_EQ(session_.skipped(), 1u);
}

TEST_F(MessageRouterFixture, AnswersNobodyForAClientThatLeft) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.client(a, rpc::request("1", "x/ask", "{}"));
  session_.leave(a);
  session_.agent(rpc::result("1", "{}"));
  EXPECT_THAT(session_.take(b), IsEmpty());
  EXPECT_EQ(session_.skipped(), 0u);
}

TEST_F(MessageRouterFixture, IgnoresClientsThatItDoesNotKnow) {
  session_.prompt(ClientId(77), "1");
  session_.client(ClientId(77), rpc::notification("session/cancel", "{}"));
  session_.client(ClientId(77), rpc::result("1", "{}"));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_THAT(session_.records(), IsEmpty());
}

TEST_F(MessageRouterFixture, ForwardsACancelledRequestUnderTheAgentsId) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.client(a, rpc::request("\"x\"", "x/ask", "{}"));
  session_.take_agent();
  session_.client(b, rpc::notification("$/cancel_request", R"({"requestId":"x"})"));
  session_.client(a, rpc::notification("$/cancel_request", R"({"requestId":1})"));
  session_.client(a, rpc::notification("$/cancel_request", "{}"));
  EXPECT_THAT(session_.take_agent(), IsEmpty()) << "nobody can cancel what is not his";
  session_.client(a, rpc::notification("$/cancel_request", R"({"requestId":"x","_meta":{}})"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(rpc::notification("$/cancel_request", R"({"requestId":1,"_meta":{}})")));
  session_.agent(rpc::plain_error("1", -32800, "cancelled"));
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::plain_error("\"x\"", -32800, "cancelled")));
}

TEST_F(MessageRouterFixture, ShowsWhatTheAgentCancelsUnderTheClientsId) {
  const ClientId a = session_.join();
  session_.agent(rpc::request("\"r\"", "x/ask", "{}"));
  session_.take(a);
  session_.agent(rpc::notification("$/cancel_request", R"({"requestId":"r"})"));
  EXPECT_THAT(session_.take(a),
              ElementsAre(rpc::notification("$/cancel_request", R"({"requestId":1})")));
  session_.agent(rpc::notification("$/cancel_request", R"({"requestId":"unknown"})"));
  session_.agent(rpc::notification("$/cancel_request", "{}"));
  EXPECT_THAT(session_.take(a), IsEmpty());
}

TEST_F(MessageRouterFixture, AnnouncesToEveryoneInTheStream) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  Effects effects;
  session_.router.announce("_acp-relay/x", R"({"a":1})", effects);
  ASSERT_THAT(effects.records, SizeIs(1));
  EXPECT_EQ(effects.records[0].origin, storage::Origin::kRelay);
  ASSERT_THAT(effects.to_clients, SizeIs(1));
  EXPECT_EQ(effects.to_clients[0].audience.only, ClientId());
  EXPECT_EQ(effects.to_clients[0].delivery.sequence, 1);
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take(b), IsEmpty());
}

TEST_F(MessageRouterFixture, RecordsEveryMessageWithItsOriginAndId) {
  const ClientId a = session_.join();
  session_.client(a, rpc::request("\"q\"", "x/ask", "{}"));
  session_.agent(rpc::request("8", "x/reverse", "{}"));
  session_.client(a, rpc::result("2", "{}"));
  session_.agent(rpc::result("1", "{}"));
  const auto& records = session_.records();
  ASSERT_THAT(records, SizeIs(4));
  const auto is = [&](std::size_t at, storage::Origin origin, storage::MessageKind kind,
                      bool to_client, const std::string& id) {
    return records[at].origin == origin && records[at].kind == kind &&
           records[at].to_client == to_client && records[at].rpc_id == id;
  };
  using storage::MessageKind;
  using storage::Origin;
  EXPECT_TRUE(is(0, Origin::kClient, MessageKind::kRequest, false, "\"q\""));
  EXPECT_TRUE(is(1, Origin::kAgent, MessageKind::kRequest, true, "2"));
  EXPECT_TRUE(is(2, Origin::kClient, MessageKind::kResponse, false, "2"));
  EXPECT_TRUE(is(3, Origin::kAgent, MessageKind::kResponse, true, "\"q\""));
}

TEST_F(MessageRouterFixture, KeepsSecretsOfRequestsOutOfTheRecordsOnly) {
  const ClientId a = session_.join();
  session_.client(a, rpc::request("1", "authenticate", R"({"methodId":"m","key":"hunter2"})"));
  EXPECT_THAT(std::string(session_.records().at(0).body.view()), Not(HasSubstr("hunter2")));
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("hunter2")));
}

TEST_F(MessageRouterFixture, AnswersEverythingWhenTheAgentEnds) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.prompt(b, "\"queued\"");
  session_.client(b, rpc::request("2", "x/ask", "{}"));
  session_.agent(rpc::request("9", "x/reverse", "{}"));
  session_.take(a);
  session_.take(b);
  session_.take_agent();

  session_.agent_ended(make_error(ErrorType::kAgentExited, "gone"));
  EXPECT_THAT(session_.take(a),
              ElementsAre(AllOf(HasSubstr(R"("id":1,"error")"), HasSubstr("agent_exited")),
                          rpc::notification("$/cancel_request", R"({"requestId":4})")));
  EXPECT_THAT(session_.take(b),
              ElementsAre(HasSubstr(R"("id":"queued","error")"), HasSubstr(R"("id":2,"error")"),
                          AllOf(HasSubstr("_acp-relay/turn_complete"), HasSubstr("agent_exited"))));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_FALSE(session_.router.turn_running());
  EXPECT_EQ(session_.router.queued_prompts(), 0u);
}

}  // namespace
}  // namespace relay
