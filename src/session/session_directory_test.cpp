// Making and ending sessions: limits, failures of agents to start, idle ones, and nothing left.
#include "session/session_directory.hpp"

#include "session/session_fixture.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;
using testing::VariantWith;

using SessionDirectoryTest = SessionFixture;

TEST_F(SessionDirectoryTest, FindsLiveSessionsOnly) {
  const auto session = create();
  EXPECT_EQ(sessions().find(session->id()), session);
  EXPECT_EQ(sessions().find(SessionId("sess_other")), nullptr);
  session->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_until([&] { return sessions().size() == 0; });
  EXPECT_EQ(sessions().find(session->id()), nullptr);
  EXPECT_TRUE(record(session->id())->closed_at);
}

TEST_F(SessionDirectoryTest, KeepsToItsLimitAndCountsThoseThatStart) {
  limits_.max_sessions = 1;
  bool ended = false;
  asio::co_spawn(io_, sessions().create(wanted()),
                 [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) {
                   EXPECT_TRUE(made);
                   ended = true;
                 });
  run_until([&] { return sessions().size() == 1; });
  const auto refused = try_create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kSessionLimitReached);
  run_until([&] { return ended; });
  sessions().all().front()->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_until([&] { return sessions().size() == 0; });
  EXPECT_TRUE(try_create());
}

TEST_F(SessionDirectoryTest, ExplainsAnAgentThatEndsAtOnce) {
  agent_.args = {"--exit-on", "initialize"};
  const auto made = try_create();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kAgentStartFailed);
  EXPECT_THAT(made.error().explanation, HasSubstr("exit code 3"));
  EXPECT_EQ(sessions().size(), 0u);
  EXPECT_FALSE(has_children());
}

TEST_F(SessionDirectoryTest, ExplainsAnAgentThatIsNotThere) {
  agent_.command = "/nonexistent/agent";
  const auto made = try_create();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kAgentStartFailed);
  EXPECT_EQ(sessions().size(), 0u);
}

TEST_F(SessionDirectoryTest, GivesUpOnAnAgentThatDoesNotAnswer) {
  agent_.args = {"--hang-on", "session/new"};
  options_.startup_timeout = 200ms;
  const auto made = try_create();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ErrorType::kAgentConnectionTimeout);
  EXPECT_THAT(made.error().explanation, HasSubstr("session/new"));
  EXPECT_EQ(sessions().size(), 0u);
  EXPECT_FALSE(has_children());
}

TEST_F(SessionDirectoryTest, UndoesASessionWhoseCreatorLeft) {
  for (int turns = 0; turns < 30; ++turns) {  // the creator leaves a little later each time
    asio::cancellation_signal stop;
    bool ended = false;
    bool made_one = false;
    asio::co_spawn(
        io_, sessions().create(wanted()),
        asio::bind_cancellation_slot(
            stop.slot(), [&](std::exception_ptr, const Result<std::shared_ptr<Session>>& made) {
              made_one = made && *made != nullptr;
              ended = true;
            }));
    io_.restart();
    for (int i = 0; i < turns && !ended; ++i) io_.run_one_for(10ms);
    stop.emit(asio::cancellation_type::terminal);
    run_until([&] { return ended; });
    if (made_one) {
      for (const auto& one : sessions().all()) {
        one->close(make_error(ErrorType::kSessionClosed, "test"), "test");
      }
    }
    run_until([&] { return sessions().size() == 0; });
    EXPECT_FALSE(has_children());
  }
}

TEST_F(SessionDirectoryTest, ClosingAStartingSessionEndsTheStart) {
  agent_.args = {"--hang-on", "initialize"};
  options_.startup_timeout = 1h;
  std::optional<Result<std::shared_ptr<Session>>> answer;
  asio::co_spawn(
      io_, sessions().create(wanted()),
      [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) { answer = std::move(made); });
  run_until([&] { return sessions().size() == 1; });
  const auto session = sessions().all().front();
  session->close(make_error(ErrorType::kSessionClosed, "the operator closed it"), "operator");
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().type, ErrorType::kSessionClosed);
  EXPECT_THAT(answer->error().explanation, HasSubstr("the operator closed it"));
  EXPECT_THAT(answer->error().state, Contains(Pair("cause", VariantWith<std::string>("operator"))));
  EXPECT_EQ(sessions().size(), 0u);
  EXPECT_FALSE(has_children());
  EXPECT_FALSE(record(session->id()));
}

// A backend whose launches last until they are cancelled.
class EndlessLaunches final : public AgentBackend {
 public:
  enum class WhenCancelled { kFail, kLaunchNevertheless };
  EndlessLaunches(asio::any_io_executor executor, ProcessOptions options, WhenCancelled then)
      : then_(then), backend_(std::move(executor), std::move(options), Logger::silent()) {}

  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) override {
    if (then_ == WhenCancelled::kLaunchNevertheless) {
      co_await asio::this_coro::throw_if_cancelled(false);
    }
    const bool slept = co_await sleep_for(1h);
    EXPECT_FALSE(slept);
    auto launched = co_await backend_.launch(std::move(spec));
    co_return launched;
  }
  Task<void> release(SessionId) override { co_return; }
  Task<void> shut_down() override { co_return; }
  std::optional<Error> unavailable() const override { return std::nullopt; }
  Isolation isolation() const override { return Isolation::kProcess; }

 private:
  WhenCancelled then_;
  ProcessBackend backend_;
};

class ClosedDuringTheLaunch : public SessionFixture,
                              public testing::WithParamInterface<EndlessLaunches::WhenCancelled> {};
INSTANTIATE_TEST_SUITE_P(Launches, ClosedDuringTheLaunch,
                         testing::Values(EndlessLaunches::WhenCancelled::kFail,
                                         EndlessLaunches::WhenCancelled::kLaunchNevertheless));

TEST_P(ClosedDuringTheLaunch, TheStartEndsAndTheAgentToo) {
  EndlessLaunches backend(io_.get_executor(), agent_, GetParam());
  other_backend_ = &backend;
  std::optional<Result<std::shared_ptr<Session>>> answer;
  asio::co_spawn(
      io_, sessions().create(wanted()),
      [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) { answer = std::move(made); });
  run_until([&] { return sessions().size() == 1; });
  sessions().all().front()->close(make_error(ErrorType::kSessionClosed, "the operator closed it"),
                                  "operator");
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_THAT(answer->error().explanation, HasSubstr("the operator closed it"));
  EXPECT_EQ(sessions().size(), 0u);
  EXPECT_FALSE(has_children());
}

TEST_F(SessionDirectoryTest, ARelayThatStopsEndsTheStartsToo) {
  agent_.args = {"--hang-on", "session/new"};
  options_.startup_timeout = 1h;
  std::optional<Result<std::shared_ptr<Session>>> answer;
  asio::co_spawn(
      io_, sessions().create(wanted()),
      [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) { answer = std::move(made); });
  run_until([&] { return sessions().size() == 1; });
  run_void(sessions().close_all());
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().type, ErrorType::kShuttingDown);
  EXPECT_THAT(answer->error().state,
              Contains(Pair("cause", VariantWith<std::string>("relay_shutdown"))));
}

TEST_F(SessionDirectoryTest, ASessionClosedAtAnyMomentLeavesNoOpenRecord) {
  for (int turns = 0; turns < 30; ++turns) {  // closed a little later each time
    std::optional<Result<std::shared_ptr<Session>>> answer;
    asio::co_spawn(io_, sessions().create(wanted()),
                   [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) {
                     answer = std::move(made);
                   });
    run_until([&] { return sessions().size() == 1; });
    const auto session = sessions().all().front();
    for (int i = 0; i < turns; ++i) io_.run_one_for(10ms);
    session->close(make_error(ErrorType::kSessionClosed, "test"), "test");
    run_until([&] { return answer.has_value() && sessions().size() == 0; });
    const auto stored = record(session->id());
    EXPECT_TRUE(!stored || stored->closed_at) << turns;
    EXPECT_FALSE(has_children());
  }
}

TEST_F(SessionDirectoryTest, WhoComesTooEarlyOrTooLateIsToldWhy) {
  agent_.args = {"--hang-on", "initialize"};
  asio::co_spawn(io_, sessions().create(wanted()), asio::detached);
  run_until([&] { return sessions().size() == 1; });
  const auto session = sessions().all().front();
  const auto early = session->attach({});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().type, ErrorType::kInvalidRequest);
  EXPECT_THAT(early.error().explanation, HasSubstr("still starting"));
  session->close(make_error(ErrorType::kSessionClosed, "the operator closed it"), "operator");
  EXPECT_EQ(session->record().cause, "operator");
  for (int i = 0; i < 2; ++i) {  // closing, and closed
    const auto late = session->attach({});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().type, ErrorType::kSessionClosed);
    EXPECT_THAT(late.error().explanation, HasSubstr("the operator closed it"));
    EXPECT_THAT(late.error().state, Contains(Pair("cause", VariantWith<std::string>("operator"))));
    run_void(session->wait_closed());
  }
}

TEST_F(SessionDirectoryTest, EndsAStartThatNobodyWaitsForAtOnce) {
  agent_.args = {"--hang-on", "initialize"};
  options_.startup_timeout = 1h;
  asio::cancellation_signal stop;
  asio::co_spawn(io_, sessions().create(wanted()),
                 asio::bind_cancellation_slot(stop.slot(), asio::detached));
  run_until([&] { return sessions().size() == 1; });
  stop.emit(asio::cancellation_type::terminal);
  run_until([&] { return sessions().size() == 0; });
  EXPECT_FALSE(has_children());
}

TEST_F(SessionDirectoryTest, EndsIdleSessions) {
  limits_.idle_timeout = 40ms;
  const auto watched = create();
  attach(*watched);
  EXPECT_EQ(watched->idle_since(), std::nullopt);
  const auto idle = create();
  EXPECT_TRUE(idle->idle_since());
  asio::cancellation_signal stop;
  bool ended = false;
  asio::co_spawn(
      io_, sessions().sweep(),
      asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { ended = true; }));
  run_until([&] { return sessions().size() == 1; });
  EXPECT_EQ(record(idle->id())->cause, "idle");
  EXPECT_EQ(watched->state(), SessionState::kReady);
  watched->detach(clients_.front().id);
  run_until([&] { return sessions().size() == 0; });
  stop.emit(asio::cancellation_type::terminal);
  run_until([&] { return ended; });
}

TEST_F(SessionDirectoryTest, ASessionWithATurnIsNotIdle) {
  const auto session = create();
  Client& a = attach(*session);
  prompt(*session, a, "1", "/sleep 60");
  session->detach(a.id);
  EXPECT_EQ(session->idle_since(), std::nullopt);
  session->cancel();
  run_until([&] { return session->idle_since().has_value(); });
}

TEST_F(SessionDirectoryTest, ClosesAllAndMakesNoMore) {
  options_.stop_grace = 100ms;
  create();
  const auto busy = create();
  Client& a = attach(*busy);
  prompt(*busy, a, "1", "/hang");
  run_void(sessions().close_all());
  EXPECT_EQ(sessions().size(), 0u);
  EXPECT_FALSE(has_children());
  const auto refused = try_create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kShuttingDown);
}

}  // namespace
}  // namespace relay
