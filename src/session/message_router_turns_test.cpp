// Prompts: one turn at a time, a queue behind it, cancelling.
#include "protocol/rpc.hpp"
#include "session/message_router.hpp"
#include "session/routed_session.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace relay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kRelayId(RoutedSession::kRelayId);
const std::string kAgentId(RoutedSession::kAgentId);
const std::string kText(RoutedSession::kText);
const std::string kDone = R"({"stopReason":"end_turn"})";
const std::string kCancelled = R"({"stopReason":"cancelled"})";

std::string prompt_to_agent(const std::string& id) {
  return rpc::request(id, "session/prompt",
                      R"({"sessionId":")" + kAgentId + R"(","prompt":)" + kText + "}");
}

std::string echo(const std::string& block) {
  return rpc::notification("session/update",
                           R"({"sessionId":")" + kRelayId +
                               R"(","update":{"sessionUpdate":"user_message_chunk","content":)" +
                               block + "}}");
}

std::string turn_complete(const std::string& member) {
  return rpc::notification("_acp-relay/turn_complete",
                           R"({"sessionId":")" + kRelayId + "\"," + member + "}");
}

std::string cancel_to_agent() {
  return rpc::notification("session/cancel", R"({"sessionId":")" + kAgentId + "\"}");
}

class MessageRouterTurns : public testing::Test {
 protected:
  ~MessageRouterTurns() override { EXPECT_THAT(session_.broken(), IsEmpty()); }
  RoutedSession session_;
};

TEST_F(MessageRouterTurns, EchoesThePromptToTheOthersAndTellsThemOfTheEnd) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.client(a, rpc::request("1", "session/prompt",
                                  R"({"prompt":[{"type":"text","text":"hi"},{"type":"x"}]})"));
  EXPECT_TRUE(session_.router.turn_running());
  EXPECT_THAT(session_.take(b),
              ElementsAre(echo(R"({"type":"text","text":"hi"})"), echo(R"({"type":"x"})")));
  session_.agent(rpc::result("1", kDone));
  EXPECT_FALSE(session_.router.turn_running());
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("1", kDone)));
  EXPECT_THAT(session_.take(b), ElementsAre(turn_complete(R"("result":)" + kDone)));
  EXPECT_THAT(session_.stop_reasons(), ElementsAre("end_turn"));
}

TEST_F(MessageRouterTurns, TellsTheOthersOfATurnThatFailed) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.take(b);
  session_.agent(rpc::plain_error("1", -32603, "no"));
  EXPECT_THAT(session_.take(b),
              ElementsAre(turn_complete(R"("error":{"code":-32603,"message":"no"})")));
  EXPECT_THAT(session_.stop_reasons(), ElementsAre("error"));
}

TEST_F(MessageRouterTurns, CountsUnknownStopReasonsAsOther) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::result("1", R"({"stopReason":"brand_new"})"));
  session_.prompt(a, "2");
  session_.agent(rpc::result("2", "null"));
  EXPECT_THAT(session_.stop_reasons(), ElementsAre("other", "other"));
}

TEST_F(MessageRouterTurns, ReadsTheStopReasonOfTheResultHoweverItIsWritten) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.agent(rpc::result("1", R"({ "stopReason" : "end_turn" })"));
  session_.prompt(a, "2");
  session_.agent(
      rpc::result("2", R"({"_meta":{"stopReason":"refusal"},"stopReason":"max_tokens"})"));
  session_.prompt(a, "3");
  session_.agent(rpc::result("3", R"({"_meta":{"stopReason":"refusal"}})"));
  session_.prompt(a, "4");
  session_.agent(rpc::result("4", R"({"stopReason":"end_turns"})"));
  EXPECT_THAT(session_.stop_reasons(), ElementsAre("end_turn", "max_tokens", "other", "other"));
}

TEST_F(MessageRouterTurns, AcceptsContentInPlaceOfPrompt) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.client(a, rpc::request("1", "session/prompt", R"({"content":)" + kText + "}"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(prompt_to_agent("1")));
  EXPECT_THAT(session_.take(b), ElementsAre(echo(R"({"type":"text","text":"hi"})")));
}

TEST_F(MessageRouterTurns, RefusesAPromptWithoutContent) {
  const ClientId a = session_.join();
  for (const std::string params : {"{}", "[]", R"({"text":"hi"})"}) {
    session_.client(a, rpc::request("1", "session/prompt", params));
    EXPECT_THAT(session_.take(a), ElementsAre(HasSubstr(R"("code":-32602)"))) << params;
  }
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_FALSE(session_.router.turn_running());
}

TEST_F(MessageRouterTurns, StartsQueuedPromptsOneAfterAnotherInOrder) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.prompt(b, "1");
  session_.prompt(a, "2");
  EXPECT_THAT(session_.take_agent(), ElementsAre(prompt_to_agent("1")));
  EXPECT_EQ(session_.router.queued_prompts(), 2u);
  EXPECT_THAT(session_.take(a), IsEmpty()) << "the echo comes when the turn starts";
  session_.agent(rpc::result("1", kDone));
  EXPECT_THAT(session_.take_agent(), ElementsAre(prompt_to_agent("2")));
  EXPECT_THAT(session_.take(a),
              ElementsAre(rpc::result("1", kDone), StartsWith(echo("{").substr(0, 40))));
  session_.agent(rpc::plain_error("2", -1, "m"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(prompt_to_agent("3")));
  session_.agent(rpc::result("3", kDone));
  EXPECT_FALSE(session_.router.turn_running());
}

TEST(MessageRouterQueue, IsBounded) {
  for (const std::size_t bound : {0u, 1u, 3u}) {
    RouterLimits limits;
    limits.max_queued_prompts = bound;
    RoutedSession session(limits);
    const ClientId a = session.join();
    for (std::size_t i = 0; i <= bound; ++i) session.prompt(a, std::to_string(i));
    EXPECT_THAT(session.take(a), IsEmpty()) << bound;
    session.prompt(a, "\"more\"");
    EXPECT_THAT(session.take(a),
                ElementsAre(AllOf(HasSubstr(R"("id":"more")"), HasSubstr("turn_in_progress"))));
    EXPECT_EQ(session.router.queued_prompts(), bound);
    session.agent(rpc::result("1", kDone));
    session.take(a);
    if (bound > 0) {
      session.prompt(a, "\"more\"");
      EXPECT_THAT(session.take(a), IsEmpty()) << bound;
    }
  }
}

TEST_F(MessageRouterTurns, CancelEndsOwnQueuedPromptsAndTellsTheAgent) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.prompt(b, "\"b\"");
  session_.prompt(a, "2");
  session_.prompt(a, "3");
  session_.take_agent();
  session_.take(a);
  session_.client(a, rpc::notification("session/cancel", R"({"sessionId":")" + kRelayId + "\"}"));
  EXPECT_THAT(session_.take(a),
              ElementsAre(rpc::result("2", kCancelled), rpc::result("3", kCancelled)));
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancel_to_agent()));
  EXPECT_EQ(session_.router.queued_prompts(), 1u);
  session_.agent(rpc::result("1", kCancelled));
  EXPECT_THAT(session_.take_agent(), ElementsAre(prompt_to_agent("2")));
}

TEST_F(MessageRouterTurns, CancelWithoutAConnectionEndsAllQueuedPromptsAndIsInTheLog) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.prompt(a, "2");
  session_.prompt(b, "2");
  session_.take(a);
  session_.take(b);
  session_.take_agent();
  session_.cancel_for(kRelayId);
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("2", kCancelled)));
  EXPECT_THAT(session_.take(b), ElementsAre(rpc::result("2", kCancelled)));
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancel_to_agent()));
  const auto& records = session_.records();
  const auto logged = std::ranges::find(records, "session/cancel", &storage::MessageRecord::method);
  ASSERT_NE(logged, records.end());
  EXPECT_EQ(logged->origin, storage::Origin::kClient);
  EXPECT_EQ(logged->kind, storage::MessageKind::kNotification);
  EXPECT_FALSE(logged->to_client);
  const auto answered = std::ranges::find(records, "2", &storage::MessageRecord::rpc_id);
  EXPECT_LT(logged, std::find_if(answered, records.end(),
                                 [](const auto& record) {
                                   return record.kind == storage::MessageKind::kResponse;
                                 }))
      << "before what it ends";
  EXPECT_EQ(logged->body.view(),
            rpc::notification("session/cancel", R"({"sessionId":")" + kRelayId + "\"}"));
}

TEST_F(MessageRouterTurns, CancelAsARequestIsAnswered) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.take_agent();
  session_.client(a, rpc::request("\"c\"", "session/cancel", "{}"));
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("\"c\"", "{}")));
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancel_to_agent()));
}

TEST_F(MessageRouterTurns, CancelWithoutATurnDoesNoHarm) {
  const ClientId a = session_.join();
  session_.cancel(a);
  EXPECT_THAT(session_.take(a), IsEmpty());
  EXPECT_THAT(session_.take_agent(), IsEmpty()) << "the agent would take it for its next turn";
  session_.prompt(a, "1");
  EXPECT_TRUE(session_.router.turn_running());
}

TEST_F(MessageRouterTurns, BoundsPromptsInBytesAndInBlocks) {
  RouterLimits limits;
  limits.max_pending_bytes = 3000;
  limits.max_prompt_blocks = 2;
  RoutedSession session(limits);
  const ClientId a = session.join();
  const auto prompt_long = [&](const std::string& id) {
    session.client(a, rpc::request(id, "session/prompt",
                                   R"({"prompt":[{"type":"text","text":")" +
                                       std::string(1000, 'x') + R"("}]})"));
  };
  for (const std::string id : {"1", "2", "3"}) prompt_long(id);
  session.take(a);
  prompt_long("4");
  EXPECT_THAT(session.take(a), ElementsAre(AllOf(HasSubstr(R"("id":4)"), HasSubstr("2 prompts of"),
                                                 HasSubstr("max_pending_bytes"))));
  session.agent(rpc::result("1", kDone));
  session.take(a);
  prompt_long("4");
  EXPECT_THAT(session.take(a), IsEmpty()) << "there is room again";

  const auto blocks = [](const std::string& id, int count) {
    std::string list;
    for (int i = 0; i < count; ++i)
      list += std::string(i > 0 ? "," : "") + R"({"type":"text","text":""})";
    return rpc::request(id, "session/prompt", R"({"prompt":[)" + list + "]}");
  };
  RoutedSession other(limits);
  const ClientId b = other.join();
  other.client(b, blocks("1", 3));
  EXPECT_THAT(other.take(b), ElementsAre(HasSubstr("max_prompt_blocks")));
  other.client(b, blocks("2", 2));
  EXPECT_TRUE(other.router.turn_running());
}

TEST_F(MessageRouterTurns, SaysWhyTheRelayCancelledATurn) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.prompt(a, "2");
  session_.take_agent();
  session_.cancel_because("prompt_timeout", MessageRouter::Cancelled::kTurn);
  EXPECT_THAT(session_.take_agent(), ElementsAre(cancel_to_agent()));
  EXPECT_EQ(session_.router.queued_prompts(), 1u);
  session_.agent(rpc::result("1", R"({"stopReason":"cancelled","about":")" + kAgentId + "\"}"));
  EXPECT_THAT(
      session_.take(a),
      ElementsAre(rpc::result(
          "1", R"({"_meta":{"acp-relay/cancelled":"prompt_timeout"},"stopReason":"cancelled",)"
               R"("about":")" +
                   kRelayId + "\"}")));
  session_.agent(rpc::result("2", kDone));
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("2", kDone)))
      << "the next turn is innocent";
}

TEST_F(MessageRouterTurns, TheRelayCancelsWhatWaitsToo) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.prompt(a, "2");
  session_.cancel_because("idle", MessageRouter::Cancelled::kAll);
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("2", kCancelled)));
  EXPECT_EQ(session_.router.queued_prompts(), 0u);
}

TEST_F(MessageRouterTurns, AQueuedPromptIsCancelledWithoutTheAgent) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.prompt(a, "\"q\"");
  session_.take_agent();
  session_.client(a, rpc::notification("$/cancel_request", R"({"requestId":"q"})"));
  EXPECT_THAT(session_.take(a),
              ElementsAre(AllOf(HasSubstr(R"("id":"q")"), HasSubstr(R"("code":-32800)"))));
  EXPECT_THAT(session_.take_agent(), IsEmpty());
  EXPECT_EQ(session_.router.queued_prompts(), 0u);
  session_.prompt(a, "\"q\"");  // the id is free again
  EXPECT_EQ(session_.router.queued_prompts(), 1u);
  session_.client(a, rpc::notification("$/cancel_request", R"({"requestId":1})"));
  EXPECT_THAT(session_.take_agent(),
              ElementsAre(rpc::notification("$/cancel_request", R"({"requestId":1})")));
}

TEST_F(MessageRouterTurns, AnAnswerToAQueuedPromptIsSkipped) {
  const ClientId a = session_.join();
  session_.prompt(a, "1");
  session_.prompt(a, "2");
  session_.agent(rpc::result("2", kDone));
  EXPECT_EQ(session_.skipped(), 1u);
  EXPECT_THAT(session_.take(a), IsEmpty());
  session_.cancel(a);
  EXPECT_THAT(session_.take(a), ElementsAre(rpc::result("2", kCancelled)));
}

TEST_F(MessageRouterTurns, AQueuedPromptRunsAlsoWhenItsClientHasLeft) {
  const ClientId a = session_.join();
  const ClientId b = session_.join();
  session_.prompt(a, "1");
  session_.prompt(b, "1");
  session_.leave(b);
  session_.take_agent();
  session_.agent(rpc::result("1", kDone));
  EXPECT_THAT(session_.take_agent(), SizeIs(1));
  session_.agent(rpc::result("2", kDone));
  EXPECT_FALSE(session_.router.turn_running());
}

TEST_F(MessageRouterTurns, ShowsACallerOfOnePromptOnlyItsOwnTurn) {
  ClientTraits caller_traits;
  caller_traits.own_turns_only = true;
  const ClientId a = session_.join();
  const ClientId caller = session_.join(caller_traits);
  const std::string update = rpc::notification("session/update", "{}");
  session_.agent(update);
  session_.prompt(a, "1");
  session_.prompt(caller, "1");
  session_.agent(update);
  EXPECT_THAT(session_.take(caller), IsEmpty());
  session_.agent(rpc::result("1", kDone));
  EXPECT_THAT(session_.take(caller), IsEmpty());
  session_.agent(update);
  session_.agent(rpc::result("2", kDone));
  session_.agent(update);
  EXPECT_THAT(session_.take(caller), ElementsAre(update, rpc::result("1", kDone)));
}

TEST(Settings, AreToldToTheOthers) {
  RoutedSession session;
  const ClientId a = session.join();
  const ClientId b = session.join();
  session.client(a, rpc::request("1", "session/set_mode", R"({"modeId":"code"})"));
  session.agent(rpc::result("1", "{}"));
  EXPECT_THAT(session.take(a), testing::ElementsAre(rpc::result("1", "{}")));
  EXPECT_THAT(session.take(b),
              testing::ElementsAre(testing::HasSubstr(
                  R"({"sessionUpdate":"current_mode_update","currentModeId":"code"})")));
  session.client(b, rpc::request("1", "session/set_config_option", R"({"configId":"x"})"));
  session.agent(rpc::result("2", R"({"configOptions":[{"id":"x"}]})"));
  EXPECT_THAT(session.take(a),
              testing::ElementsAre(testing::HasSubstr(
                  R"({"sessionUpdate":"config_option_update","configOptions":[{"id":"x"}]})")));
}

TEST(Settings, ThatTheAgentRefusedAreNot) {
  RoutedSession session;
  const ClientId a = session.join();
  const ClientId b = session.join();
  session.client(a, rpc::request("1", "session/set_mode", R"({"modeId":"code"})"));
  session.agent(rpc::plain_error("1", -32602, "no such mode"));
  EXPECT_THAT(session.take(b), testing::IsEmpty());
}

std::string prompt_of_trace(const std::string& id, const std::string& meta) {
  return rpc::request(id, "session/prompt", R"({"_meta":)" + meta + R"(,"prompt":)" + kText + "}");
}

std::string trace_meta(char digit) {
  return R"({"x": 1.0, "traceparent" : "00-)" + std::string(32, digit) + "-" +
         std::string(16, digit) + R"(-01","tracestate":"a=\u0031","baggage":"b=1"})";
}

TEST_F(MessageRouterTurns, HaveTheTraceOfTheirPromptAndPassItOnAsItIs) {
  const ClientId a = session_.join();
  session_.client(a, prompt_of_trace("1", trace_meta('a')));
  session_.client(a, prompt_of_trace("2", trace_meta('b')));
  session_.prompt(a, "3");
  session_.client(a, prompt_of_trace("4", R"({"traceparent":"00-1-2-01"})"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("\"_meta\":" + trace_meta('a') + ",")));
  ASSERT_TRUE(session_.router.turn_trace());
  EXPECT_EQ(session_.router.turn_trace()->trace_id, std::string(32, 'a'));
  session_.agent(rpc::result("1", kDone));
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("\"_meta\":" + trace_meta('b') + ",")));
  ASSERT_TRUE(session_.router.turn_trace());
  EXPECT_EQ(session_.router.turn_trace()->span_id, std::string(16, 'b'));
  session_.agent(rpc::result("2", kDone));
  EXPECT_TRUE(session_.router.turn_running());
  EXPECT_FALSE(session_.router.turn_trace());
  session_.agent(rpc::result("3", kDone));
  EXPECT_TRUE(session_.router.turn_running());
  EXPECT_FALSE(session_.router.turn_trace()) << "of what is none";
  session_.agent(rpc::result("4", kDone));
  EXPECT_FALSE(session_.router.turn_trace());
}

TEST_F(MessageRouterTurns, AnyRequestPassesItsTraceOn) {
  const ClientId a = session_.join();
  session_.client(a, rpc::request("1", "session/set_mode",
                                  R"({"modeId":"m","_meta":)" + trace_meta('c') + "}"));
  EXPECT_THAT(session_.take_agent(), ElementsAre(HasSubstr("\"_meta\":" + trace_meta('c') + "}")));
}

}  // namespace
}  // namespace relay
