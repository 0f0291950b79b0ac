// elicitation/create: whose it is, who is asked when that one has left, and when it ends.
#include "protocol/rpc.hpp"
#include "session/message_router.hpp"
#include "session/routed_session.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class Elicitations : public testing::Test {
 protected:
  ~Elicitations() override { EXPECT_THAT(session_.broken(), IsEmpty()); }
  RoutedSession session_;
};

TEST_F(Elicitations, ElicitationGoesToWhoPrompted) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(b, "\"mine\"");
  session_.take(a);
  session_.agent(rpc::request("4", "elicitation/create", R"({"requestId":1,"message":"m"})"));
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take(b), ElementsAre(rpc::request("2", "elicitation/create",
                                                         R"({"requestId":"mine","message":"m"})")));
  session_.agent(rpc::notification("elicitation/complete", R"({"elicitationId":"e"})"));
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take(b), SizeIs(1));
}

TEST_F(Elicitations, AnElicitationWhoseClientLeavesGoesToAnother) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  const auto asked = session_.take(a);
  const ClientId b = session_.join();
  session_.join(kObserver);
  EXPECT_THAT(session_.take(b), Not(Contains(HasSubstr("elicitation")))) << "one person is asked";
  session_.take_agent();
  session_.leave(a);
  EXPECT_THAT(session_.take(b), ElementsAre(asked.back()));
  session_.agent(rpc::notification("elicitation/complete", R"({"elicitationId":"e"})"));
  EXPECT_THAT(session_.take(b), SizeIs(1));
  session_.client(b, rpc::result("2", R"({"action":"accept"})"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", R"({"action":"accept"})")));
}

TEST_F(Elicitations, AnElicitationWaitsForAClientAndIsThenCancelled) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  const auto asked = session_.take(a);
  session_.take_agent();
  session_.leave(a);
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  const ClientId b = session_.join();
  EXPECT_THAT(session_.take(b), ElementsAre(asked.back()));
  EXPECT_EQ(session_.router.next_deadline(), std::nullopt);
  session_.leave(b);
  session_.pass(RouterLimits().permission_timeout);
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", R"({"action":"cancel"})")));
}

TEST_F(Elicitations, AnElicitationWithoutItsClientIsAskedLikeAPermission) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  const ClientId c = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.take_agent();
  session_.leave(a);
  const ClientId again = session_.join();
  for (const ClientId one : {b, c, again}) {
    EXPECT_THAT(session_.take(one), Contains(HasSubstr("elicitation/create")));
  }
  session_.client(b, rpc::plain_error("2", -32601, "unknown"));
  EXPECT_THAT(session_.take_agent(), IsEmpty()) << "an error of one of several is no answer";
  session_.client(again, rpc::result("2", "{}"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", "{}")));
  EXPECT_THAT(session_.take(c), ElementsAre(withdrawn("2")));
}

TEST_F(Elicitations, OneThatNobodyIsAskedIsNoOnesWhenTheAgentEnds) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.take_agent();
  session_.leave(a);
  EXPECT_THAT(session_.take_agent(), IsEmpty()) << "it waits for the next client";
  session_.agent_ended(make_error(ErrorType::kAgentExited, "gone"));
  EXPECT_THAT(session_.take_agent(), IsEmpty()) << "nobody reads it";
  const storage::MessageRecord& last = session_.records().back();
  EXPECT_EQ(last.kind, storage::MessageKind::kResponse);
  EXPECT_EQ(last.rpc_id, "2");
  EXPECT_THAT(std::string(last.body.view()), HasSubstr("agent_exited"));
}

TEST_F(Elicitations, AnElicitationEndsWithItsTurn) {
  const std::string cancelled = rpc::result("4", R"({"action":"cancel"})");
  const std::string ask = rpc::request("4", "elicitation/create", "{}");
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(ask);
  session_.cancel(a);
  EXPECT_THAT(session_.take_agent(), Not(Contains(cancelled))) << "its client has it";
  session_.leave(a);
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancelled));
  session_.agent(ask);
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancelled)) << "it crossed the cancel";
  session_.agent(rpc::result("1", R"({"stopReason":"cancelled"})"));

  const ClientId b = session_.join();
  session_.prompt(b, "2");
  session_.take_agent();
  session_.agent(ask);
  session_.leave(b);
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  session_.agent(rpc::result("4", R"({"stopReason":"end_turn"})"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancelled)) << "nobody was shown it";
}

TEST_F(Elicitations, AnElicitationAboutARequestIsItsClientsAlone) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.take(b);
  session_.agent(rpc::request("4", "elicitation/create", R"({"requestId":1})"));
  session_.take_agent();
  session_.leave(a);
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", R"({"action":"cancel"})")));
  EXPECT_THAT(session_.take(b), IsEmpty());
}

TEST_F(Elicitations, WhatTheAgentHasWithdrawnIsNotShownToAnother) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.agent(rpc::request("5", "session/request_permission", R"({"options":[]})"));
  session_.agent(rpc::notification("$/cancel_request", R"({"requestId":4})"));
  session_.agent(rpc::notification("$/cancel_request", R"({"requestId":5})"));
  session_.take_agent();
  const ClientId b = session_.join();
  session_.leave(a);
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("-32800"), HasSubstr("-32800")));
  EXPECT_THAT(session_.take(b), Not(Contains(HasSubstr("create"))));
}

TEST_F(Elicitations, AnElicitationForACallerThatCannotAnswerIsCancelled) {
  const ClientId caller = session_.join(kDeaf);
  session_.prompt(caller, "1");
  session_.take_agent();
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", R"({"action":"cancel"})")));
}

TEST_F(Elicitations, OfAClientThatCatchesUpAreShownAtTheEndOfThat) {
  const ClientId a = session_.arrive();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.take(b);
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  EXPECT_THAT(session_.take(a), Not(Contains(HasSubstr("elicitation"))));
  EXPECT_THAT(session_.take(b), IsEmpty());
  session_.catch_up(a);
  EXPECT_THAT(session_.take(a), Contains(HasSubstr("elicitation/create")));
}

TEST_F(Elicitations, WithoutATurnAreAskedOfWhoeverAttaches) {
  const ClientId a = session_.join();
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  EXPECT_THAT(session_.take(a), SizeIs(1));
  const ClientId b = session_.join();
  EXPECT_THAT(session_.take(b), SizeIs(1));
}

TEST_F(Elicitations, ThatOneCouldNotAnswerWaitForAnotherWhenTheRestHasLeft) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.take(a);
  session_.client(a, rpc::plain_error("1", -32601, "unknown"));
  session_.leave(b);
  EXPECT_THAT(session_.take(a), IsEmpty()) << "it has said that it can't";
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_TRUE(session_.router.next_deadline());
}

TEST_F(Elicitations, ThatAreWithdrawnAreAnsweredByTheFirstWord) {
  const ClientId a = session_.join();
  session_.join();
  session_.agent(rpc::request("4", "elicitation/create", "{}"));
  session_.agent(rpc::notification("$/cancel_request", R"({"requestId":4})"));
  session_.client(a, rpc::plain_error("1", -32800, "cancelled"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("-32800")));
}

TEST_F(Elicitations, AboutARequestThatIsOverAreNobodys) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.take(a);
  session_.take_agent();
  session_.agent(rpc::request("4", "elicitation/create", R"({"requestId":99})"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(rpc::result("4", R"({"action":"cancel"})")));
  EXPECT_THAT(session_.take(a), IsEmpty());
}

}  // namespace
}  // namespace relay
