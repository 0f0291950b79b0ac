// Requests of the agent: who is asked, whose answer counts, who answers when nobody does.
#include "protocol/acp.hpp"
#include "protocol/rpc.hpp"
#include "session/message_router.hpp"
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

using std::chrono::milliseconds;

const std::string kOptions =
    R"({"options":[{"optionId":"yes","kind":"allow_once"},{"optionId":"no","kind":"reject_once"}]})";
const std::string kCancelledOutcome(acp::kCancelledOutcome);

std::string selected(const std::string& option) {
  return R"({"outcome":{"outcome":"selected","optionId":")" + option + "\"}}";
}

std::string permission(const std::string& id) {
  return rpc::request(id, "session/request_permission", kOptions);
}

const ClientTraits kCaller{.own_turns_only = true};

class ReverseRequests : public testing::Test {
 protected:
  ~ReverseRequests() override { EXPECT_THAT(session_.broken(), IsEmpty()); }
  RoutedSession session_;
};

TEST_F(ReverseRequests, PermissionGoesToAllWhoMayAnswer) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  const ClientId observer = session_.join(kObserver);
  const ClientId late = session_.arrive();
  session_.agent(permission("\"p\""));
  EXPECT_THAT(session_.take(a), ElementsAre(permission("1")));
  EXPECT_THAT(session_.take(b), ElementsAre(permission("1")));
  EXPECT_THAT(session_.take(observer), IsEmpty());
  EXPECT_THAT(session_.take(late), IsEmpty());
  session_.catch_up(late);
  EXPECT_THAT(session_.take(late), ElementsAre(permission("1")));
}

TEST_F(ReverseRequests, KnowTheOldestPermissionThatWaits) {
  using Time = std::chrono::steady_clock::time_point;
  const ClientId a = session_.join();
  EXPECT_FALSE(session_.router.oldest_permission());
  session_.agent(rpc::request("\"q\"", "_x/ask", "{}"));
  EXPECT_FALSE(session_.router.oldest_permission()) << "another request is none";
  session_.pass(milliseconds(1'000));
  session_.agent(permission("4"));
  session_.pass(milliseconds(2'000));
  session_.agent(permission("5"));
  EXPECT_EQ(session_.router.oldest_permission(), Time(milliseconds(1'000)));
  session_.client(a, rpc::result("2", selected("yes")));
  EXPECT_EQ(session_.router.oldest_permission(), Time(milliseconds(3'000)));
  session_.client(a, rpc::result("3", selected("yes")));
  EXPECT_FALSE(session_.router.oldest_permission());
}

TEST_F(ReverseRequests, AnAnswerReachesTheAgentAsItWasSpelled) {
  const ClientId a = session_.join();
  session_.agent(rpc::request("\"q\"", "_x/ask", "{}"));
  session_.client(a, R"({"result" : {"n":1e2, "s":"\u00e9"},"id": 1 ,"jsonrpc":"2.0", "z":[ ]})");
  EXPECT_THAT(
      session_.take_agent(),
      ElementsAre(R"({"result" : {"n":1e2, "s":"\u00e9"},"id": "q" ,"jsonrpc":"2.0", "z":[ ]})"));
}

TEST_F(ReverseRequests, AHeldRequestThatIsWithdrawnIsAnsweredAtOnce) {
  session_.agent(permission("\"p\""));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  session_.agent(withdrawn("\"p\""));
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("-32800")));
  session_.pass(milliseconds(3'600'000));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
}

TEST_F(ReverseRequests, ACancelSentAsARequestReachesOnlyTheSendersOwnCall) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.client(a, rpc::request("1", "_slow", "{}"));
  const auto forwarded = session_.take_agent();
  ASSERT_THAT(forwarded, SizeIs(1));
  session_.client(b, rpc::request("9", "$/cancel_request", R"({"requestId":1})"));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_THAT(session_.take(b), ElementsAre(rpc::result("9", "{}")));
}

TEST_F(ReverseRequests, FirstValidAnswerWinsAndTheOthersAreTold) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.agent(permission("\"p\""));
  session_.take(a);
  session_.take(b);
  EXPECT_TRUE(session_.router.was_asked(1, a));
  session_.client(b, rpc::result("1", selected("no")));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("\"p\"", selected("no"))));
  EXPECT_THAT(session_.take(a), ElementsAre(withdrawn("1")));
  EXPECT_THAT(session_.take(b), IsEmpty());
  session_.client(a, rpc::result("1", selected("yes")));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_FALSE(session_.router.is_pending(1));
}

TEST_F(ReverseRequests, WhatDoesNotDecideIsIgnoredWhileOthersRemain) {
  for (const std::string& bad :
       {rpc::plain_error("1", -32601, "no"), rpc::result("1", selected("maybe")),
        rpc::result("1", "null"), rpc::result("1", R"({"outcome":"selected"})")}) {
    RoutedSession session;
    const ClientId a = session.join();
    const ClientId b = session.join();
    session.agent(permission("4"));
    session.client(a, bad);
    EXPECT_THAT(session.take_agent(), IsEmpty()) << bad;
    session.client(a, rpc::result("1", selected("yes")));
    EXPECT_THAT(session.take_agent(), IsEmpty()) << "everyone answers once";
    session.client(b, rpc::result("1", selected("yes")));
    EXPECT_THAT(session.take_agent(), ElementsAre(rpc::result("4", selected("yes")))) << bad;
  }
}

TEST_F(ReverseRequests, TheLastAnswerPassesAsItIs) {
  const ClientId a = session_.join();
  session_.agent(permission("4"));
  session_.client(a, R"({"id":1,"error":{"code":-32000,"x":1.50},"jsonrpc":"2.0"})");
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(R"({"id":4,"error":{"code":-32000,"x":1.50},"jsonrpc":"2.0"})"));
}

TEST_F(ReverseRequests, AnswersOfThoseWhoWereNotAskedAreIgnored) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.take_agent();
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.client(b, rpc::result("2", "{}"));
  for (const std::string id : {"3", "\"b\"", "2.5", "null", "99999999999999999999"}) {
    session_.client(a, rpc::result(id, "{}"));
  }
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  session_.client(a, rpc::result("2", "{}"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", "{}")));
}

TEST_F(ReverseRequests, TakesAnswersWhoseIdIsSpelledInAnotherWay) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.take_agent();
  for (const std::string id : {"2.0", "\"3\"", "4e0"}) {
    session_.agent(rpc::request("4", "elicitation/create", "{}"));
    session_.client(a, rpc::result(id, "{}"));
    EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", "{}"))) << id;
  }
}

TEST_F(ReverseRequests, APermissionThatCrossesACancelIsCancelled) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.cancel(a);
  session_.take(a);
  session_.take_agent();
  session_.agent(permission("4"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", kCancelledOutcome)));
  EXPECT_THAT(session_.take(a), IsEmpty()) << "nobody is asked";
  session_.agent(rpc::result("1", R"({"stopReason":"cancelled"})"));
  session_.prompt(a, "5");
  session_.agent(permission("6"));
  EXPECT_THAT(session_.take(a), Contains(HasSubstr("session/request_permission")))
      << "the next turn is not cancelled";
}

TEST_F(ReverseRequests, ThatFillTheirBoundInBytesAreAnsweredAtOnce) {
  RouterLimits limits;
  limits.max_pending_bytes = 1000;
  RoutedSession session(limits);
  const ClientId a = session.join();
  session.prompt(a, "1");
  session.take_agent();
  const std::string large = R"({"text":")" + std::string(600, 'x') + "\"}";
  session.agent(rpc::request("4", "elicitation/create", large));
  EXPECT_THAT(session.take_agent(), IsEmpty());
  session.agent(rpc::request("5", "elicitation/create", large));
  EXPECT_THAT(session.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":5)"), HasSubstr("1000 bytes"))));
  session.client(a, rpc::result("2", "{}"));
  session.take_agent();
  session.agent(rpc::request("6", "elicitation/create", large));
  EXPECT_THAT(session.take_agent(), IsEmpty()) << "there is room again";
}

TEST_F(ReverseRequests, ACancelledTurnCancelsItsPermissions) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.agent(permission("4"));
  session_.agent(permission("5"));
  session_.take(a);
  session_.take(b);
  session_.take_agent();
  session_.client(a, rpc::notification("session/cancel", "{}"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(HasSubstr("session/cancel"), rpc::result("4", kCancelledOutcome),
                          rpc::result("5", kCancelledOutcome)));
  EXPECT_THAT(session_.take(a), ElementsAre(withdrawn("2"), withdrawn("3")));
  EXPECT_THAT(session_.take(b), ElementsAre(withdrawn("2"), withdrawn("3")));
}

TEST_F(ReverseRequests, WhenOneLeavesTheOthersCanAnswer) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.agent(permission("4"));
  session_.leave(a);
  EXPECT_EQ(session_.router.next_deadline(), std::nullopt);
  session_.client(b, rpc::result("1", selected("yes")));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", selected("yes"))));
}

TEST(Permission, WaitsForAClientAndThenThePolicyAnswers) {
  struct Row {
    PermissionDefault policy;
    std::string answer;
  };
  for (const Row& row : {Row{PermissionDefault::kCancelled, kCancelledOutcome},
                         Row{PermissionDefault::kAllow, selected("yes")},
                         Row{PermissionDefault::kReject, selected("no")}}) {
    RouterLimits limits;
    limits.permission_default = row.policy;
    limits.permission_timeout = milliseconds(1000);
    RoutedSession session(limits);
    const ClientId a = session.join();
    session.agent(permission("4"));
    session.pass(milliseconds(5000));
    EXPECT_THAT(session.take_agent(), IsEmpty()) << "a client that is there has all the time";
    session.leave(a);
    ASSERT_TRUE(session.router.next_deadline());
    session.pass(milliseconds(999));
    EXPECT_THAT(session.take_agent(), IsEmpty());
    session.pass(milliseconds(1));
    EXPECT_THAT(session.take_agent(), ElementsAre(rpc::result("4", row.answer)));
    EXPECT_EQ(session.router.next_deadline(), std::nullopt);
    EXPECT_THAT(session.broken(), IsEmpty());
  }
}

TEST_F(ReverseRequests, WhoeverComesIsAskedAndStopsTheClock) {
  session_.agent(permission("4"));
  ASSERT_TRUE(session_.router.next_deadline());
  session_.join(kObserver);
  session_.join(kDeaf);
  session_.join(kCaller);
  ASSERT_TRUE(session_.router.next_deadline()) << "none of them can answer";
  const ClientId a = session_.join();
  EXPECT_EQ(session_.router.next_deadline(), std::nullopt);
  EXPECT_THAT(session_.take(a), ElementsAre(permission("1")));
  session_.client(a, rpc::result("1", selected("yes")));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", selected("yes"))));
}

TEST_F(ReverseRequests, ThePolicyAnswersAtOnceForACallerThatCannotAnswer) {
  const ClientId caller = session_.join(kDeaf);
  session_.prompt(caller, "1");
  session_.take_agent();
  session_.agent(permission("4"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", kCancelledOutcome)));
  EXPECT_EQ(session_.router.next_deadline(), std::nullopt);
}

TEST(Permission, TheResultTellsWhatThePolicyAnswered) {
  RouterLimits limits;
  limits.permission_default = PermissionDefault::kReject;
  RoutedSession session(limits);
  const ClientId caller = session.join(kDeaf);
  session.prompt(caller, "1");
  for (int i = 0; i < 33; ++i) session.agent(permission(std::to_string(100 + i)));
  session.agent(rpc::result("1", R"({"stopReason":"end_turn"})"));
  const std::vector<std::string> got = session.take(caller);
  ASSERT_FALSE(got.empty());
  EXPECT_THAT(got.back(), HasSubstr(R"({"_meta":{"acp-relay/permissions":[{"toolCall":)"));
  EXPECT_THAT(got.back(), HasSubstr(R"("outcome":{"outcome":"selected","optionId":"no"})"));
  EXPECT_THAT(got.back(), HasSubstr(R"(],"acp-relay/more_permissions":1},"stopReason":)"));
  session.prompt(caller, "2");
  session.agent(rpc::result("35", R"({"stopReason":"end_turn"})"));
  EXPECT_THAT(session.take(caller), testing::Each(Not(HasSubstr("permissions"))));
}

TEST(Permission, WithoutATimeoutThePolicyAnswersAtOnce) {
  RouterLimits limits;
  limits.permission_timeout = milliseconds(0);
  limits.permission_default = PermissionDefault::kReject;
  RoutedSession session(limits);
  session.agent(permission("4"));
  EXPECT_THAT(session.take_agent(), ElementsAre(rpc::result("4", selected("no"))));
}

TEST_F(ReverseRequests, ACallerOfOnePromptIsAskedInItsOwnTurnOnly) {
  const ClientId a = session_.join();
  const ClientId caller = session_.join(kCaller);
  session_.agent(permission("4"));
  EXPECT_THAT(session_.take(caller), IsEmpty());
  session_.prompt(caller, "1");
  session_.agent(permission("5"));
  EXPECT_THAT(session_.take(caller), ElementsAre(permission("3")));
  EXPECT_THAT(session_.take(a), SizeIs(3));  // two requests, one echo
}

TEST_F(ReverseRequests, AVendorsRequestIsNotLeftToWhoCannotKnowIt) {
  const ClientId feed = session_.join({.knows_extensions = false});
  const ClientId caller = session_.join({.own_turns_only = true, .knows_extensions = false});
  session_.prompt(caller, "1");
  session_.take_agent();
  session_.agent(rpc::request("7", "_vendor/question", "{}"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":7)"), HasSubstr("-32601"))));
  session_.agent(permission("8"));
  EXPECT_THAT(session_.take(feed), Contains(HasSubstr("session/request_permission")));
  const ClientId chat = session_.join();
  session_.take(chat);
  session_.agent(rpc::request("9", "_vendor/question", "{}"));
  EXPECT_THAT(session_.take(chat), ElementsAre(HasSubstr("_vendor/question")));
}

TEST_F(ReverseRequests, AnAnswerCanComeByAnotherWay) {
  const ClientId a = session_.join();
  session_.agent(permission("4"));
  session_.take(a);
  EXPECT_TRUE(session_.router.accepts(1, "result", selected("yes")));
  EXPECT_FALSE(session_.router.accepts(1, "result", selected("maybe")));
  EXPECT_FALSE(session_.router.accepts(1, "error", "{}"));
  EXPECT_FALSE(session_.router.accepts(2, "result", selected("yes")));
  EXPECT_TRUE(session_.answer(1, "result", selected("yes")));
  EXPECT_FALSE(session_.answer(1, "result", selected("yes")));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", selected("yes"))));
  EXPECT_THAT(session_.take(a), ElementsAre(withdrawn("1")));
}

// Its stream was lost, and with it what it was asked.
TEST_F(ReverseRequests, OfEveryKindAreShownAgainToWhoComesBack) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(b, "1");
  session_.take(a);
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.agent(permission("5"));
  const auto asked = session_.take(b);
  ASSERT_THAT(asked, SizeIs(2));
  session_.take(a);
  session_.catch_up(b);
  EXPECT_EQ(session_.take(b), asked);
  EXPECT_THAT(session_.take(a), IsEmpty());
  session_.catch_up(b, session_.router.last_sequence());
  EXPECT_EQ(session_.take(b), asked) << "they came behind that";
  session_.agent(rpc::notification("_x", "{}"));
  session_.take(b);
  session_.catch_up(b, session_.router.last_sequence());
  EXPECT_THAT(session_.take(b), ElementsAre(asked[1]))
      << "it has read what is more than a question";
  session_.leave(a);
  session_.client(b, rpc::result("3", selected("yes")));
  EXPECT_THAT(session_.take(b), IsEmpty()) << "it was asked once, so nothing is withdrawn";
}

TEST_F(ReverseRequests, ClientsDisksAndTerminalsAreNotOffered) {
  const ClientId a = session_.join();
  for (const std::string method : {"fs/read_text_file", "fs/write_text_file", "terminal/create"}) {
    session_.agent(rpc::request("4", method, "{}"));
    EXPECT_THAT(session_.take_agent(),
                ElementsAre(AllOf(HasSubstr(R"("id":4)"), HasSubstr("-32601"))));
  }
  EXPECT_THAT(session_.take(a), IsEmpty());
}

TEST(ClientDisk, GoesToWhoPromptedWhenItIsPassedThrough) {
  RouterLimits limits;
  limits.strip_client_disk = false;
  RoutedSession session(limits);
  const ClientId a = session.join();
  const ClientId b = session.join();
  session.prompt(a, "1");
  session.take_agent();
  session.take(b);
  session.agent(rpc::request("4", "fs/read_text_file", R"({"path":"/x"})"));
  EXPECT_THAT(session.take(a),
              ElementsAre(rpc::request("2", "fs/read_text_file", R"({"path":"/x"})")));
  EXPECT_THAT(session.take(b), IsEmpty());
  session.client(a, rpc::result("2", R"({"content":"c"})"));
  EXPECT_THAT(session.take_agent(), ElementsAre(rpc::result("4", R"({"content":"c"})")));
  session.leave(a);
  session.agent(rpc::request("5", "fs/read_text_file", "{}"));
  EXPECT_THAT(session.take_agent(), ElementsAre(HasSubstr("-32603")));
}

TEST_F(ReverseRequests, OtherRequestsGoToWhoPromptedOrAnyoneWhoCanAnswer) {
  session_.join(kObserver);
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.agent(rpc::request("4", "_x/ask", "{}"));
  EXPECT_THAT(session_.take(a), SizeIs(1));
  EXPECT_THAT(session_.take(b), IsEmpty());
  session_.prompt(b, "1");
  session_.take(a);
  session_.agent(rpc::request("5", "_x/ask", "{}"));
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take(b), SizeIs(1));
}

TEST_F(ReverseRequests, OtherRequestsWithoutAClientAreRefused) {
  session_.join(kObserver);
  session_.agent(rpc::request("\"x\"", "_x/ask", "{}"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":"x")"), HasSubstr("-32601"))));
}

TEST(ReverseRequestsOfOneAgent, AreBounded) {
  RouterLimits limits;
  limits.max_pending_requests = 2;
  RoutedSession session(limits);
  const ClientId a = session.join();
  for (const std::string id : {"1", "2", "3"}) session.agent(permission(id));
  EXPECT_THAT(session.take(a), SizeIs(2));
  EXPECT_THAT(session.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":3)"), HasSubstr("-32603"))));
  session.client(a, rpc::result("1", selected("yes")));
  session.take_agent();
  session.agent(permission("4"));
  EXPECT_THAT(session.take(a), SizeIs(1));
}

}  // namespace
}  // namespace relay
