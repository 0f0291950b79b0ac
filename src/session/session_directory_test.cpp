// Making and ending sessions: limits, failures of agents to start, idle ones, and nothing left.
#include "session/session_directory.hpp"

#include "session/staged_backend.hpp"
#include "session/unfinished.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::VariantWith;

using SessionDirectoryTest = StagedFixture;

TEST_F(SessionDirectoryTest, FindsLiveSessionsOnly) {
  const auto session = create();
  EXPECT_EQ(sessions().find(session->id()), session);
  EXPECT_EQ(sessions().find(SessionId("sess_other")), nullptr);
  session->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_until([&] { return sessions().size() == 0; });
  EXPECT_EQ(sessions().find(session->id()), nullptr);
  EXPECT_TRUE(record(session->id())->closed_at);
}

TEST_F(SessionDirectoryTest, MakesAClosedSessionGoOn) {
  const auto first = create();
  const SessionId id = first->id();
  Client& before = reading(attach(*first));
  prompt(*first, before, "1", "remember");
  wait_for(before, "end_turn");
  first->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_void(first->wait_closed());
  const auto closed = record(id);
  ASSERT_TRUE(closed && closed->closed_at);
  EXPECT_EQ(closed->title, "remember");

  const auto again = run(sessions().reopen(id, wanted()));
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->id(), id);
  EXPECT_FALSE((*again)->agent_remembers()) << "the demo agent can't load sessions";
  EXPECT_GT((*again)->last_sequence(), closed->last_sequence);
  EXPECT_FALSE(record(id)->closed_at);

  Client& after = reading(attach(**again, 0));
  prompt(**again, after, "1", "go on");
  wait_for(after, "end_turn");
  EXPECT_TRUE(after.has("remember"));
  EXPECT_TRUE(after.has("go "));
  EXPECT_TRUE(history(id).gaps.empty());
}

TEST_F(SessionDirectoryTest, MakesOneSessionForAllWhoComeBackAtOnce) {
  const auto first = create();
  first->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_void(first->wait_closed());
  std::vector<std::shared_ptr<Session>> made;
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(io_, sessions().reopen(first->id(), wanted()),
                   [&](std::exception_ptr, Result<std::shared_ptr<Session>> one) {
                     ASSERT_TRUE(one);
                     made.push_back(*one);
                   });
  }
  run_until([&] { return made.size() == 3; });
  EXPECT_EQ(made[0], made[1]);
  EXPECT_EQ(made[0], made[2]);
  EXPECT_EQ(sessions().size(), 1u);
}

TEST_F(SessionDirectoryTest, NumbersOnBehindASessionThatIsJustClosing) {
  const auto first = create();
  Client& client = reading(attach(*first));
  prompt(*first, client, "1", "one two three");
  wait_for(client, "end_turn");
  first->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  std::vector<std::shared_ptr<Session>> made;
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(io_, sessions().reopen(first->id(), wanted()),
                   [&](std::exception_ptr, Result<std::shared_ptr<Session>> one) {
                     ASSERT_TRUE(one);
                     made.push_back(*one);
                   });
  }
  run_until([&] { return made.size() == 3; });
  EXPECT_EQ(made[0], made[1]);
  EXPECT_EQ(made[0], made[2]);
  EXPECT_GT(made[0]->last_sequence(), first->last_sequence());
  const auto page = history(first->id());
  for (std::size_t at = 0; at < page.messages.size(); ++at) {
    EXPECT_EQ(page.messages[at].sequence, static_cast<storage::Sequence>(at) + 1);
  }
}

TEST_F(SessionDirectoryTest, EndsAnIntroductionWithTheRelay) {
  agent_.args = {"--hang-on", "initialize"};
  options_.startup_timeout = 1h;
  std::optional<Result<std::string>> profile;
  asio::co_spawn(io_, sessions().agent_profile({}),
                 [&](std::exception_ptr, Result<std::string> told) { profile = std::move(told); });
  run_until([] { return has_children(); });
  run_void(sessions().close_all());
  run_until([&] { return profile.has_value(); });
  ASSERT_FALSE(*profile);
  EXPECT_EQ(profile->error().type, ErrorType::kShuttingDown);
}

TEST_F(SessionDirectoryTest, LeavesAClosedSessionAsItWasWhenItCannotGoOn) {
  const auto first = create();
  first->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_void(first->wait_closed());
  NewSession impossible = wanted();
  impossible.working_directory = "/does/not/exist";
  EXPECT_FALSE(run(sessions().reopen(first->id(), impossible)));
  EXPECT_EQ(record(first->id())->cause, "test");
}

TEST_F(SessionDirectoryTest, AsksAnAgentOnceWhatItCanDo) {
  int answered = 0;
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(io_, sessions().agent_profile({}),
                   [&](std::exception_ptr, Result<std::string> profile) {
                     ASSERT_TRUE(profile);
                     EXPECT_THAT(*profile, HasSubstr("acp-demo-agent"));
                     ++answered;
                   });
  }
  run_until([&] { return answered == 3; });
  EXPECT_EQ(sessions().size(), 0u);
}

TEST_F(SessionDirectoryTest, CountsStartsThatFailAtTheLaunchByTheirErrors) {
  use_stage();
  sessions();
  for (const ErrorType type :
       {ErrorType::kImageNotFound, ErrorType::kImageNotFound, ErrorType::kContainerResourceExceeded,
        ErrorType::kWorkspaceUnavailable, ErrorType::kInvalidParams}) {
    stage_.refusal = make_error(type, "refused");
    EXPECT_FALSE(try_create());
  }
  EXPECT_EQ(metrics_.starts_failed[ErrorType::kImageNotFound], 2u);
  EXPECT_EQ(metrics_.starts_failed[ErrorType::kContainerResourceExceeded], 1u);
  EXPECT_EQ(metrics_.starts_failed[ErrorType::kWorkspaceUnavailable], 0u);
  EXPECT_EQ(metrics_.starts_failed[ErrorType::kInvalidParams], 0u);
  EXPECT_EQ(metrics_.recent_starts.share(std::chrono::steady_clock::now()).failures, 3u);
}

TEST_F(SessionDirectoryTest, AsksAnAgentAgainThatFailedWhenNobodyWaitedAnyMore) {
  use_stage();
  stage_.launching = event();
  stage_.refusal = make_error(ErrorType::kAgentStartFailed, "not yet");
  asio::cancellation_signal leave;
  bool has_left = false;
  asio::co_spawn(
      io_, sessions().agent_profile({}),
      asio::bind_cancellation_slot(
          leave.slot(), [&](std::exception_ptr, const Result<std::string>&) { has_left = true; }));
  run_until([&] { return stage_.launches == 1; });
  leave.emit(asio::cancellation_type::terminal);
  run_until([&] { return has_left; });
  stage_.launching->happen();
  run_until([&] { return !stage_.released.empty(); });
  EXPECT_TRUE(run(sessions().agent_profile({})));
}

TEST_F(SessionDirectoryTest, LeavesASessionAloneOfWhichAPartIsImported) {
  storage::SessionRecord part;
  part.id = SessionId("sess_part");
  part.cause = kUnfinishedImport;
  part.closed_at = wall_now();
  sessions();
  log_->session_created(part);
  EXPECT_TRUE(sessions().hold(part.id));
  EXPECT_FALSE(sessions().hold(part.id));
  const auto held = run(sessions().reopen(part.id, wanted()));
  ASSERT_FALSE(held);
  EXPECT_THAT(held.error().explanation, HasSubstr("is being imported"));
  EXPECT_FALSE(run(sessions().erase(part.id)));
  sessions().let_go(part.id);
  const auto cut_off = run(sessions().reopen(part.id, wanted()));
  ASSERT_FALSE(cut_off);
  EXPECT_THAT(cut_off.error().explanation, HasSubstr("only a part"));
  EXPECT_EQ(record(part.id)->cause, kUnfinishedImport);
  EXPECT_TRUE(run(sessions().erase(part.id)));
}

TEST_F(SessionDirectoryTest, ErasesALiveSession) {
  const auto session = create();
  EXPECT_TRUE(run(sessions().erase(session->id())));
  EXPECT_EQ(sessions().find(session->id()), nullptr);
  EXPECT_FALSE(record(session->id()));
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

TEST_F(SessionDirectoryTest, CountsAgentsThatOnlyIntroduceThemselves) {
  limits_.max_sessions = 1;
  use_stage();
  stage_.launching = event();
  bool has_tried = false;
  asio::co_spawn(io_, sessions().try_login({}, {}),
                 [&](std::exception_ptr, const Result<void>&) { has_tried = true; });
  run_until([&] { return stage_.launches == 1; });
  const auto refused = try_create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kSessionLimitReached);
  stage_.launching->happen();
  run_until([&] { return has_tried; });
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
  options_.startup_timeout = 2s;  // time enough for the answers before
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
  Task<Result<Reattachment>> reattach(SessionId session, OutputPosition position) override {
    return backend_.reattach(std::move(session), position);
  }
  Task<void> end_unwanted(SessionId) override { co_return; }
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
  session->cancel(session->id().value(), 1);
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
