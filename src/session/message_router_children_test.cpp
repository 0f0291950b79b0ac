// Child sessions (sub-agents) of a session's agent: whose they are, and what their ids become.
#include "protocol/rpc.hpp"
#include "session/routed_session.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kParentRelay(RoutedSession::kRelayId);
const std::string kParentAgent(RoutedSession::kAgentId);
const std::string kChild = kParentRelay + ".kid-1";  // what clients call the agent's kid-1

std::string in_quotes(const std::string& id) { return '"' + id + '"'; }

std::string child_update(const std::string& session, const std::string& members) {
  return rpc::notification("session/update", R"({"sessionId":)" + in_quotes(session) +
                                                 R"(,"update":{"sessionUpdate":)" + members + "}}");
}

std::string announcement(const std::string& session, const std::string& child) {
  return child_update(session, R"("subagent_update","sessionId":)" + in_quotes(child));
}

class MessageRouterChildren : public testing::Test {
 protected:
  ~MessageRouterChildren() override { EXPECT_THAT(session_.broken(), IsEmpty()); }

  RoutedSession session_;
  ClientId a_ = session_.join();
};

TEST_F(MessageRouterChildren, AreTranslatedFromTheirAnnouncementOn) {
  const std::string text = R"("agent_message_chunk","content":{"type":"text","text":"kid-1"})";
  session_.agent(child_update("kid-1", text));
  session_.agent(announcement(kParentAgent, "kid-1"));
  session_.agent(child_update("kid-1", text));
  session_.agent(child_update("kid-2", text));
  EXPECT_THAT(session_.take(a_),
              ElementsAre(child_update("kid-1", text), announcement(kParentRelay, kChild),
                          child_update(kChild, text), child_update("kid-2", text)));
}

TEST_F(MessageRouterChildren, AreTranslatedWhereverASessionIsNamed) {
  session_.agent(announcement(kParentAgent, "kid-1"));
  session_.take(a_);
  session_.agent(child_update(kParentAgent,
                              R"("session_message","messageId":"kid-1","senderSessionId":"kid-1",)"
                              R"("recipientSessionId":)" +
                                  in_quotes(kParentAgent)));
  session_.agent(child_update(kParentAgent,
                              R"("tool_call","toolCallId":"t","content":[{"type":"session",)"
                              R"("sessionId":"kid-1"}],"rawInput":{"sessionId":"kid-9"})"));
  EXPECT_THAT(
      session_.take(a_),
      ElementsAre(
          child_update(kParentRelay, R"("session_message","messageId":"kid-1","senderSessionId":)" +
                                         in_quotes(kChild) + R"(,"recipientSessionId":)" +
                                         in_quotes(kParentRelay)),
          child_update(kParentRelay, R"("tool_call","toolCallId":"t","content":[{"type":"session",)"
                                     R"("sessionId":)" +
                                         in_quotes(kChild) +
                                         R"(}],"rawInput":{"sessionId":"kid-9"})")));
}

TEST_F(MessageRouterChildren, MayHaveChildrenAndOddNames) {
  const std::string odd = R"(a.\"b\/)";
  session_.agent(announcement(kParentAgent, "kid-1"));
  session_.agent(announcement("kid-1", odd));
  session_.agent(child_update(odd, R"("plan","entries":[])"));
  EXPECT_THAT(session_.take(a_),
              ElementsAre(announcement(kParentRelay, kChild),
                          announcement(kChild, kParentRelay + "." + odd),
                          child_update(kParentRelay + "." + odd, R"("plan","entries":[])")));
  session_.client(
      a_, rpc::notification("session/cancel",
                            R"({"sessionId":)" + in_quotes(kParentRelay + "." + odd) + "}"));
  EXPECT_THAT(
      session_.take_agent(),
      ElementsAre(rpc::notification("session/cancel", R"({"sessionId":)" + in_quotes(odd) + "}")));
}

TEST_F(MessageRouterChildren, AskTheClientsOfTheSession) {
  const ClientId b = session_.join();
  session_.agent(announcement(kParentAgent, "kid-1"));
  session_.take(a_);
  session_.take(b);
  session_.agent(rpc::request("5", "session/request_permission",
                              R"({"sessionId":"kid-1","options":[{"optionId":"y"}]})"));
  const auto asked = session_.take(a_);
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_THAT(asked[0], HasSubstr(R"("sessionId":)" + in_quotes(kChild)));
  EXPECT_THAT(session_.take(b), ElementsAre(asked[0]));
  session_.client(a_, rpc::result("1", R"({"outcome":{"outcome":"selected","optionId":"y"}})"));
  EXPECT_THAT(
      session_.take_agent(),
      ElementsAre(rpc::result("5", R"({"outcome":{"outcome":"selected","optionId":"y"}})")));
}

TEST_F(MessageRouterChildren, AreCancelledWithoutTheTurn) {
  session_.agent(announcement(kParentAgent, "kid-1"));
  session_.prompt(a_, "1");
  session_.take_agent();
  session_.agent(
      rpc::request("5", "session/request_permission", R"({"sessionId":"kid-1","options":[]})"));
  session_.agent(rpc::request("6", "session/request_permission",
                              R"({"sessionId":)" + in_quotes(kParentAgent) + R"(,"options":[]})"));
  session_.client(
      a_, rpc::notification("session/cancel", R"({"sessionId":)" + in_quotes(kChild) + "}"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(rpc::notification("session/cancel", R"({"sessionId":"kid-1"})"),
                          rpc::result("5", R"({"outcome":{"outcome":"cancelled"}})")));
  EXPECT_TRUE(session_.router.turn_running());
  EXPECT_EQ(session_.router.permission_waits(), 1u);
  session_.agent(
      rpc::request("7", "session/request_permission", R"({"sessionId":"kid-1","options":[]})"));
  session_.cancel_for(kChild);
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(rpc::notification("session/cancel", R"({"sessionId":"kid-1"})"),
                          rpc::result("7", R"({"outcome":{"outcome":"cancelled"}})")));
  const auto& records = session_.records();
  const auto logged = std::find_if(records.rbegin(), records.rend(), [](const auto& record) {
    return record.method == "session/cancel";
  });
  ASSERT_NE(logged, records.rend());
  EXPECT_EQ(logged->body.view(),
            rpc::notification("session/cancel", R"({"sessionId":)" + in_quotes(kChild) + "}"));
  EXPECT_TRUE(session_.router.turn_running());
}

TEST_F(MessageRouterChildren, TakeOtherRequestsButNoPrompts) {
  session_.agent(announcement(kParentAgent, "kid-1"));
  session_.take(a_);
  session_.client(a_, rpc::request("7", "session/set_mode",
                                   R"({"sessionId":)" + in_quotes(kChild) + R"(,"modeId":"m"})"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(HasSubstr(R"({"sessionId":"kid-1","modeId":"m"})")));
  session_.client(a_, rpc::request("8", "session/prompt",
                                   R"({"sessionId":)" + in_quotes(kChild) + R"(,"prompt":[]})"));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_THAT(session_.take(a_), ElementsAre(HasSubstr("takes no prompts")));
}

TEST_F(MessageRouterChildren, AreKnownAgainAfterARestart) {
  session_.router.restore_child(in_quotes(kChild));
  session_.router.restore_child(in_quotes("sess_ffffffffffffffffffffffffffffffff.kid-2"));
  session_.router.restore_child("\"\"");
  session_.agent(child_update("kid-1", R"("plan","entries":[])"));
  session_.agent(child_update("kid-2", R"("plan","entries":[])"));
  EXPECT_THAT(session_.take(a_), ElementsAre(child_update(kChild, R"("plan","entries":[])"),
                                             child_update("kid-2", R"("plan","entries":[])")));
}

TEST(MessageRouterManyChildren, AreBoundedInNumberAndLength) {
  RouterLimits limits;
  limits.max_subagents = 1;
  RoutedSession session(limits);
  const ClientId a = session.join();
  const std::string long_id(SessionIds::kLongestChild + 1, 'x');
  session.agent(announcement(kParentAgent, long_id));
  session.agent(announcement(kParentAgent, "kid-1"));
  session.agent(announcement(kParentAgent, "kid-1"));
  EXPECT_EQ(session.misunderstood(), 0u);
  session.agent(announcement(kParentAgent, "kid-2"));
  EXPECT_EQ(session.misunderstood(), 1u);
  EXPECT_THAT(session.take(a),
              ElementsAre(announcement(kParentRelay, long_id), announcement(kParentRelay, kChild),
                          announcement(kParentRelay, kChild), announcement(kParentRelay, "kid-2")));
  EXPECT_THAT(session.broken(), IsEmpty());
}

}  // namespace
}  // namespace relay
