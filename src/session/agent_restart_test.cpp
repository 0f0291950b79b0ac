// Prompts to sessions whose agents ended by themselves.
#include "session/session_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace relay {
namespace {

using ::testing::HasSubstr;

class AgentRestart : public SessionFixture {
 protected:
  // A session whose agent has exited by itself, as the log has it.
  storage::SessionRecord ended() {
    const auto session = create();
    return end(session);
  }
  storage::SessionRecord end(const std::shared_ptr<Session>& session) {
    prompt(*session, reading(attach(*session)), "7", "/exit 3");
    run_void(session->wait_closed());
    run_until([&] { return sessions().find(session->id()) == nullptr; });
    return *record(session->id());
  }
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
