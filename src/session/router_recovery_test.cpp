#include "session/routed_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace relay {
namespace {

using storage::MessageKind;
using storage::MessageRecord;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// What a relay leaves in its log, and another one that goes on with the same agent.
class Recovery : public testing::Test {
 protected:
  Recovery() { client_ = before_.join(); }

  // As storage answers it; tested there.
  storage::OpenCalls open_calls(storage::Sequence input) {
    std::set<std::int64_t> answered;
    std::map<std::int64_t, std::string> peers;
    storage::OpenCalls calls;
    for (const MessageRecord& record : before_.records()) {
      if (record.call == 0) continue;
      if (record.kind == MessageKind::kResponse) answered.insert(record.call);
      if (record.kind == MessageKind::kRequest) peers[record.call] = record.peer_id;
    }
    for (const MessageRecord& record : before_.records()) {
      if (record.call == 0) continue;
      if (record.kind == MessageKind::kRequest && !answered.contains(record.call)) {
        calls.requests.push_back(record);
      }
      if (record.kind == MessageKind::kResponse && !record.to_client && record.sequence > input) {
        calls.unsent_answers.push_back(record);
        calls.unsent_answers.back().peer_id = peers[record.call];
      }
    }
    return calls;
  }
  // Everything was written to the agent, but for what is recorded behind `input`.
  void restart(storage::Sequence input = 1'000'000, std::int64_t prompt = 1'000'000) {
    after_.restore(open_calls(input), {{}, input, prompt},
                   make_error(ErrorType::kRelayRestarted, "the relay was restarted"));
  }
  static std::string update(std::string_view kind) {
    return R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":")" +
           std::string(RoutedSession::kAgentId) + R"(","update":{"sessionUpdate":")" +
           std::string(kind) + R"("}}})";
  }
  // The id that the agent was asked with last.
  static std::string id_of(const std::string& message) {
    const std::size_t at = message.find("\"id\":") + 5;
    return message.substr(at, message.find_first_of(",}", at) - at);
  }

  RoutedSession before_;
  RoutedSession after_;
  ClientId client_;
};

TEST_F(Recovery, EndsATurnThatWentOn) {
  before_.prompt(client_, "7");
  const std::string id = id_of(before_.take_agent().at(0));
  restart();
  EXPECT_TRUE(after_.router.turn_running());
  EXPECT_TRUE(after_.router.waits("7"));
  EXPECT_THAT(after_.take_agent(), IsEmpty()) << "a prompt is written once";
  const ClientId again = after_.join();
  after_.agent(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{"stopReason":"end_turn"}})");
  EXPECT_FALSE(after_.router.turn_running());
  EXPECT_THAT(after_.take(again),
              ElementsAre(AllOf(HasSubstr("turn_complete"), HasSubstr("end_turn"))));
  EXPECT_EQ(after_.records().at(0).rpc_id, "7");
  EXPECT_THAT(after_.broken(), IsEmpty());
}

TEST_F(Recovery, EndsAPromptThatMayNotHaveBeenWritten) {
  before_.prompt(client_, "7");
  restart(1'000'000, 0);
  EXPECT_TRUE(after_.router.turn_running());
  EXPECT_THAT(after_.records(), IsEmpty());
  ASSERT_TRUE(after_.router.next_deadline());
  after_.pass(MessageRouter::kDoubt);
  EXPECT_FALSE(after_.router.turn_running());
  EXPECT_EQ(after_.records().at(0).rpc_id, "7");
  EXPECT_THAT(std::string(after_.records().at(0).body.view()), HasSubstr("relay_restarted"));
  EXPECT_THAT(std::string(after_.records().at(1).body.view()), HasSubstr("turn_complete"));
  EXPECT_THAT(after_.take_agent(), ElementsAre(HasSubstr("session/cancel")));
}

TEST_F(Recovery, GoesOnWithAPromptThatTheAgentWorksOn) {
  before_.prompt(client_, "7");
  const std::string id = id_of(before_.take_agent().at(0));
  restart(1'000'000, 0);
  after_.agent(update("agent_message_chunk"));
  EXPECT_FALSE(after_.router.next_deadline());
  after_.pass(MessageRouter::kDoubt);
  EXPECT_TRUE(after_.router.turn_running());
  after_.agent(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{"stopReason":"end_turn"}})");
  EXPECT_FALSE(after_.router.turn_running());
  EXPECT_THAT(after_.take_agent(), IsEmpty());
}

TEST_F(Recovery, EndsAPromptOfWhichTheAgentShowsNothing) {
  before_.client(client_, R"({"jsonrpc":"2.0","id":"m","method":"session/set_mode",)"
                          R"("params":{"modeId":"ask"}})");
  const std::string id = id_of(before_.take_agent().at(0));
  before_.prompt(client_, "7");
  restart(1'000'000, 0);
  after_.agent(update("usage_update"));
  after_.agent(update("available_commands_update"));
  after_.agent(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})");
  after_.agent(R"({"jsonrpc":"2.0","id":1,"method":"_vendor/ask","params":{}})");
  after_.pass(MessageRouter::kDoubt);
  EXPECT_FALSE(after_.router.turn_running());
  EXPECT_THAT(after_.broken(), IsEmpty());
}

TEST_F(Recovery, EndsAPromptThatIsCancelledWhileItIsInDoubt) {
  before_.prompt(client_, "7");
  restart(1'000'000, 0);
  const ClientId again = after_.join();
  after_.cancel(again);
  EXPECT_THAT(after_.take_agent(), ElementsAre(HasSubstr("session/cancel")));
  after_.agent(update("agent_message_chunk"));  // that there is nothing to cancel
  after_.pass(MessageRouter::kSilent - std::chrono::milliseconds(1));
  EXPECT_TRUE(after_.router.turn_running()) << "it may have a turn";
  after_.agent(update("usage_update"));
  after_.pass(std::chrono::milliseconds(1));
  EXPECT_FALSE(after_.router.turn_running());
  EXPECT_THAT(after_.take(again),
              Contains(AllOf(HasSubstr("turn_complete"), HasSubstr("relay_restarted"))));
}

TEST_F(Recovery, SaysOneReasonWhenPartOfTheOutputIsLostToo) {
  before_.prompt(client_, "7");
  restart(1'000'000, 0);
  after_.router.output_lost();
  const ClientId again = after_.join();
  after_.cancel(again);
  after_.pass(MessageRouter::kDoubt);
  EXPECT_FALSE(after_.router.turn_running()) << "a cancellation does not put the end off";
  EXPECT_THAT(after_.take(again),
              Contains(AllOf(HasSubstr("turn_complete"), HasSubstr("relay_restarted"))));
}

TEST_F(Recovery, EndsATurnWhoseEndWasLost) {
  before_.prompt(client_, "7");
  before_.router.output_lost();
  before_.pass(std::chrono::hours(1));
  EXPECT_TRUE(before_.router.turn_running()) << "it may just be thinking";
  before_.cancel(client_);
  before_.pass(MessageRouter::kSilent / 2);
  before_.agent(update("tool_call_update"));
  before_.pass(MessageRouter::kSilent / 2);
  EXPECT_TRUE(before_.router.turn_running()) << "it says something";
  before_.agent(update("usage_update"));
  before_.pass(MessageRouter::kSilent / 2);
  EXPECT_FALSE(before_.router.turn_running());
  EXPECT_THAT(before_.take(client_), Contains(HasSubstr("among the output that was lost")));
  before_.prompt(client_, "8");
  before_.cancel(client_);
  before_.pass(MessageRouter::kSilent);
  EXPECT_TRUE(before_.router.turn_running()) << "nothing of this turn was lost";
  EXPECT_THAT(before_.broken(), IsEmpty());
}

TEST_F(Recovery, EndsPromptsThatWaitedBehindTheTurn) {
  before_.prompt(client_, "7");
  before_.prompt(client_, "8");
  before_.prompt(client_, "9");
  const std::int64_t running = open_calls(0).requests.at(0).call;
  restart(1'000'000, running);
  EXPECT_TRUE(after_.router.turn_running());
  ASSERT_EQ(after_.records().size(), 2u);
  EXPECT_EQ(after_.records()[0].rpc_id, "8");
  EXPECT_EQ(after_.records()[1].rpc_id, "9");
  EXPECT_THAT(after_.take_agent(), IsEmpty());
}

TEST_F(Recovery, AsksAPermissionAgainOnce) {
  before_.prompt(client_, "7");
  before_.take(client_);
  before_.agent(R"({"jsonrpc":"2.0","id":"p-1","method":"session/request_permission","params":)"
                R"({"sessionId":"agent-session-0001","options":[{"optionId":"yes"}]}})");
  const std::string asked = before_.take(client_).at(0);
  after_.pass(std::chrono::seconds(10));
  restart();
  EXPECT_EQ(after_.router.permission_waits(), 1u);
  EXPECT_EQ(after_.router.oldest_permission(), std::chrono::steady_clock::time_point())
      << "it waits since the agent asked";
  const ClientId again = after_.join();
  EXPECT_THAT(after_.take(again), ElementsAre(asked));
  after_.client(again, R"({"jsonrpc":"2.0","id":)" + id_of(asked) +
                           R"(,"result":{"outcome":{"outcome":"selected","optionId":"yes"}}})");
  EXPECT_THAT(after_.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":"p-1")"), HasSubstr("selected"))));
}

TEST_F(Recovery, SendsAnAnswerThatWasNotWritten) {
  before_.prompt(client_, "7");
  before_.agent(R"({"jsonrpc":"2.0","id":0,"method":"session/request_permission","params":)"
                R"({"sessionId":"agent-session-0001","options":[{"optionId":"yes"}]}})");
  const auto question = before_.take(client_).back();
  const storage::Sequence written = before_.router.last_sequence();
  before_.client(client_, R"({"jsonrpc":"2.0","id":)" + id_of(question) +
                              R"(,"result":{"outcome":{"outcome":"selected","optionId":"yes"}}})");
  restart(written);
  EXPECT_THAT(after_.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":0,)"), HasSubstr("selected"))));
  EXPECT_EQ(after_.router.permission_waits(), 0u);
}

TEST_F(Recovery, AsksAnElicitationAgain) {
  before_.prompt(client_, "7");
  before_.agent(R"({"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":)"
                R"({"sessionId":"agent-session-0001"}})");
  const std::string asked = before_.take(client_).back();
  restart();
  EXPECT_THAT(after_.take_agent(), IsEmpty());
  const ClientId again = after_.join();
  EXPECT_THAT(after_.take(again), ElementsAre(asked));
  after_.client(again, rpc::result(id_of(asked), R"({"action":"decline"})"));
  EXPECT_THAT(after_.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":5,)"), HasSubstr("decline"))));
}

TEST_F(Recovery, AnswersWhatOnlyTheClientThatIsGoneCouldDo) {
  before_.prompt(client_, "7");
  before_.agent(R"({"jsonrpc":"2.0","id":5,"method":"_x/ask","params":)"
                R"({"sessionId":"agent-session-0001"}})");
  restart();
  EXPECT_THAT(after_.take_agent(),
              ElementsAre(AllOf(HasSubstr(R"("id":5,)"), HasSubstr("-32601"))));
}

TEST_F(Recovery, WaitsForAnswersToOtherRequests) {
  before_.client(client_, R"({"jsonrpc":"2.0","id":"m","method":"session/set_mode",)"
                          R"("params":{"sessionId":"x","modeId":"ask"}})");
  const std::string id = id_of(before_.take_agent().at(0));
  restart();
  const ClientId again = after_.join();
  after_.agent(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})");
  EXPECT_THAT(after_.take(again),
              ElementsAre(AllOf(HasSubstr("current_mode_update"), HasSubstr(R"("ask")"))));
}

TEST_F(Recovery, RefusesRequestsThatWereNotWritten) {
  const storage::Sequence written = before_.router.last_sequence();
  before_.client(client_, R"({"jsonrpc":"2.0","id":"m","method":"_vendor/do","params":{}})");
  restart(written);
  EXPECT_THAT(after_.take_agent(), IsEmpty());
  EXPECT_THAT(std::string(after_.records().at(0).body.view()), HasSubstr("relay_restarted"));
}

TEST(RequestIds, DifferBetweenRunsAndStayExact) {
  std::set<std::int64_t> firsts;
  for (const std::int64_t run : {1, 2, 3, 1'000'000}) firsts.insert(RequestIds(run).next());
  EXPECT_EQ(firsts.size(), 4u);
  EXPECT_EQ(*firsts.begin(), 1);
  EXPECT_LT(*firsts.rbegin(), std::int64_t{1} << 53);
}

}  // namespace
}  // namespace relay
