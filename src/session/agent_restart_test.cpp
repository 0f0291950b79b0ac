// Prompts to sessions whose agents ended by themselves.
#include "session/staged_backend.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace relay {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class AgentRestart : public StagedFixture {
 protected:
  // A session whose agent has exited by itself, as the log has it.
  storage::SessionRecord ended() {
    const auto session = create();
    return end(session);
  }
  storage::SessionRecord end(const std::shared_ptr<Session>& session) {
    StagedFixture::end(session);
    return *record(session->id());
  }
  // A session whose next restart waits longer than any test.
  storage::SessionRecord ended_twice() {
    limits_.restart_pause = 1h;
    const auto first = run(sessions().restart(ended()));
    if (!first) throw std::runtime_error(first.error().explanation);
    return end(*first);
  }
  void give_up(const storage::SessionRecord& session) {
    EXPECT_TRUE(run(
        sessions().give_up(session.id, make_error(ErrorType::kSessionClosed, "test"), "closed")));
  }
  void ask(const storage::SessionRecord& closed) {
    const auto answer = [this](std::exception_ptr, Result<std::shared_ptr<Session>> given) {
      answers_.push_back(std::move(given));
    };
    asio::co_spawn(io_, sessions().restart(closed), answer);
  }
  // One who asks for another agent, and one who comes meanwhile.
  void ask_twice(const storage::SessionRecord& closed) {
    ask(closed);
    ask(closed);
    run_until([&] { return sessions().is_restarting(closed.id); });
    io_.poll();
  }
  void expect_no_agent(const storage::SessionRecord& closed, ErrorType because) {
    run_until([&] { return answers_.size() == 2; });
    for (const auto& answer : answers_) {
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error().type, because);
    }
    EXPECT_FALSE(sessions().is_restarting(closed.id));
    run_until([&] { return sessions().find(closed.id) == nullptr; });
    EXPECT_FALSE(has_children());
  }

  std::vector<Result<std::shared_ptr<Session>>> answers_;
};

TEST_F(AgentRestart, GoesOnUnderTheSameIdWithTheSameStream) {
  const auto closed = ended();
  EXPECT_THAT(closed.cause, HasSubstr("agent_exited"));
  const auto again = run(sessions().restart(closed));
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->id(), closed.id);
  EXPECT_GT((*again)->last_sequence(), closed.last_sequence);
  Client& client = reading(attach(**again));
  prompt(**again, client, "8", "onwards");
  wait_for(client, R"("id":8)");
  EXPECT_TRUE(client.has("onwards"));
}

TEST_F(AgentRestart, IsForAgentsThatEndedByThemselves) {
  const auto session = create();
  session->close(make_error(ErrorType::kSessionClosed, "closed"), "closed");
  run_void(session->wait_closed());
  const auto refused = run(sessions().restart(*record(session->id())));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kSessionClosed);
}

TEST_F(AgentRestart, IsForAgentsThatCanLoad) {
  auto closed = ended();
  closed.agent_profile = R"({"agentCapabilities":{"loadSession":false}})";
  const auto refused = run(sessions().restart(closed));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().possible_causes.at(0), HasSubstr("can't load"));
}

TEST_F(AgentRestart, CanBeTurnedOff) {
  limits_.restart_agent = false;
  const auto refused = run(sessions().restart(ended()));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().possible_causes.at(0), HasSubstr("sessions.restart_agent"));
}

TEST_F(AgentRestart, IsOneForAllWhoComeMeanwhile) {
  const auto closed = ended();
  std::vector<std::size_t> order;
  std::set<Session*> given;
  const auto ask = [&](std::size_t number) -> Task<void> {
    const auto again = co_await sessions().restart(closed);
    order.push_back(number);
    EXPECT_TRUE(again);
    if (again) given.insert(again->get());
  };
  constexpr std::size_t kMany = 10;  // more than there are attempts
  for (std::size_t number = 0; number < kMany; ++number) {
    asio::co_spawn(io_, ask(number), asio::detached);
  }
  run_until([&] { return order.size() == kMany; });
  EXPECT_TRUE(std::ranges::is_sorted(order)) << "in the order in which they came";
  EXPECT_EQ(given.size(), 1U);
  EXPECT_FALSE(sessions().is_restarting(closed.id));
}

TEST_F(AgentRestart, GoesOnForOthersWhenWhoAskedFirstLeaves) {
  limits_.restart_pause = std::chrono::milliseconds(50);
  auto closed = ended();
  const auto first = run(sessions().restart(closed));
  ASSERT_TRUE(first);
  closed = end(*first);  // from now on there is a pause
  asio::cancellation_signal leave;
  asio::co_spawn(io_, sessions().restart(closed),
                 asio::bind_cancellation_slot(leave.slot(), asio::detached));
  run_until([&] { return sessions().is_restarting(closed.id); });
  std::optional<Result<std::shared_ptr<Session>>> second;
  const auto ask = [&]() -> Task<void> {
    auto given = co_await sessions().restart(closed);
    second = std::move(given);
  };
  asio::co_spawn(io_, ask(), asio::detached);
  io_.poll();
  leave.emit(asio::cancellation_type::terminal);
  run_until([&] { return second.has_value(); });
  EXPECT_TRUE(*second);
}

TEST_F(AgentRestart, CountsAgentsThatWereStartedAndIsNoneForWhoOnlyLooks) {
  limits_.restart_pause = std::chrono::milliseconds(50);
  auto closed = ended();
  const auto first = run(sessions().restart(closed));
  ASSERT_TRUE(first);
  closed = end(*first);                      // from now on there is a pause
  for (int times = 0; times < 6; ++times) {  // more than there are attempts
    asio::cancellation_signal leave;
    asio::co_spawn(io_, sessions().restart(closed),
                   asio::bind_cancellation_slot(leave.slot(), asio::detached));
    run_until([&] { return sessions().is_restarting(closed.id); });
    bool looked = false;
    const auto look = [&]() -> Task<void> {
      co_await sessions().restarted(closed.id);
      looked = true;
    };
    asio::co_spawn(io_, look(), asio::detached);
    io_.poll();
    EXPECT_FALSE(looked);
    leave.emit(asio::cancellation_type::terminal);
    run_until([&] { return looked; });
    EXPECT_EQ(sessions().find(closed.id), nullptr);
  }
  EXPECT_TRUE(run(sessions().restart(closed)));
}

TEST_F(AgentRestart, EndsInItsPauseWhenTheSessionIsClosed) {
  const auto closed = ended_twice();
  EXPECT_EQ(sessions().restarting(), 0U);
  ask_twice(closed);
  EXPECT_EQ(sessions().restarting(), 1U) << "a stop would interrupt it";
  give_up(closed);
  expect_no_agent(closed, ErrorType::kSessionClosed);
  EXPECT_EQ(sessions().restarting(), 0U);
}

TEST_F(AgentRestart, IsNotForASessionThatWasGivenUp) {
  const auto closed = ended();
  give_up(closed);
  EXPECT_THAT(record(closed.id)->cause, StartsWith("closed: agent_exited"));
  ask(closed);
  ask(closed);
  expect_no_agent(closed, ErrorType::kSessionClosed);
  give_up(closed);
  EXPECT_THAT(record(closed.id)->cause, StartsWith("closed: agent_exited")) << "said once";
}

TEST_F(AgentRestart, IsStillForASessionWhoseEndTheRelaysInterrupts) {
  const auto session = create();
  prompt(*session, reading(attach(*session)), "7", "/exit 3");
  run_until([&] { return session->state() == SessionState::kClosed; });
  run_void(sessions().close_all());
  EXPECT_THAT(record(session->id())->cause, StartsWith("agent_exited"));
}

TEST_F(AgentRestart, EndsInItsPauseWhenTheSessionIsDeleted) {
  const auto closed = ended_twice();
  ask_twice(closed);
  EXPECT_TRUE(run(sessions().erase(closed.id)));
  expect_no_agent(closed, ErrorType::kSessionClosed);
  EXPECT_FALSE(record(closed.id));
}

TEST_F(AgentRestart, EndsInItsPauseWithTheRelay) {
  const auto closed = ended_twice();
  ask_twice(closed);
  sessions().refuse_new();
  expect_no_agent(closed, ErrorType::kShuttingDown);
}

TEST_F(AgentRestart, EndsTheAgentThatStartsWhenTheSessionIsGivenUp) {
  agent_.args = {"--hang-on", "session/load"};
  options_.startup_timeout = 1h;
  const auto closed = ended();
  ask_twice(closed);
  run_until([] { return has_children(); });
  give_up(closed);
  expect_no_agent(closed, ErrorType::kSessionClosed);
  EXPECT_THAT(record(closed.id)->cause, StartsWith("closed: agent_exited"));
}

TEST_F(AgentRestart, LeavesNoAgentWheneverTheSessionIsClosed) {
  for (int turns = 0; turns < 30; ++turns) {  // closed a little later each time
    const auto closed = ended();
    ask(closed);
    run_until([&] { return sessions().is_restarting(closed.id); });
    for (int i = 0; i < turns; ++i) io_.run_one_for(10ms);
    give_up(closed);
    EXPECT_THAT(record(closed.id)->cause, StartsWith("closed")) << turns;
    run_until([&] { return !answers_.empty() && sessions().find(closed.id) == nullptr; });
    EXPECT_FALSE(has_children()) << turns;
    answers_.clear();
  }
}

TEST_F(AgentRestart, IsNotForASessionThatIsClosedWhileItsEndIsTold) {
  const auto session = create();
  prompt(*session, reading(attach(*session)), "7", "/exit 3");
  run_until([&] { return session->state() == SessionState::kClosed; });
  const storage::SessionRecord known = session->record();
  EXPECT_THAT(known.cause, StartsWith("agent_exited"));
  session->close(make_error(ErrorType::kSessionClosed, "test"), "closed");
  ask(known);
  ask(known);
  expect_no_agent(known, ErrorType::kSessionClosed);
  EXPECT_THAT(record(known.id)->cause, StartsWith("closed: agent_exited"));
}

TEST_F(AgentRestart, ThatThrowsIsToldToAllWhoWait) {
  limits_.restart_pause = std::chrono::milliseconds(0);
  use_stage();
  const auto closed = ended();
  stage_.is_out_of_memory = true;
  ask(closed);
  ask(closed);
  expect_no_agent(closed, ErrorType::kInternalError);
  stage_.is_out_of_memory = false;
  EXPECT_TRUE(run(sessions().restart(closed)));
}

TEST_F(AgentRestart, IsBounded) {
  limits_.restart_pause = std::chrono::milliseconds(0);
  auto closed = ended();
  for (int times = 0; times < 5; ++times) {
    const auto again = run(sessions().restart(closed));
    ASSERT_TRUE(again) << times;
    closed = end(*again);
  }
  const auto refused = run(sessions().restart(closed));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().possible_causes.at(0), HasSubstr("ended 5 times"));
}

}  // namespace
}  // namespace relay
