// How sessions are closed for good, by clients and with the relay, and what is left of them.
#include "session/staged_backend.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class DirectoryClosing : public StagedFixture {
 protected:
  using Answer = std::optional<Result<std::shared_ptr<Session>>>;

  void reopen(const SessionId& id, NewSession request, Answer& answer) {
    asio::co_spawn(io_, sessions().reopen(id, std::move(request)),
                   [&answer](std::exception_ptr, Result<std::shared_ptr<Session>> given) {
                     answer = std::move(given);
                   });
  }
  void give_up(const SessionId& id, bool& ended) {
    asio::co_spawn(io_,
                   sessions().give_up(id, make_error(ErrorType::kSessionClosed, "test"), "closed"),
                   [&ended](std::exception_ptr, const Result<void>& given) {
                     EXPECT_TRUE(given);
                     ended = true;
                   });
  }
  void erase(const SessionId& id, std::optional<Result<void>>& answer) {
    asio::co_spawn(io_, sessions().erase(id), [&answer](std::exception_ptr, Result<void> given) {
      answer = std::move(given);
    });
  }
  // The agent has ended by itself, and how is not known before stage_.stopping has happened.
  std::shared_ptr<Session> ending() {
    stage_.stopping = event();
    use_stage();
    auto session = create();
    prompt(*session, reading(attach(*session)), "7", "/exit 3");
    run_until([&] { return session->is_ending(); });
    return session;
  }
  void stop_relay(Task<void> stops) {
    bool stopped = false;
    asio::co_spawn(io_, std::move(stops), [&](std::exception_ptr) { stopped = true; });
    io_.poll();
    stage_.stopping->happen();
    run_until([&] { return stopped; });
  }
};

TEST_F(DirectoryClosing, KeepsWhatIsLeftOfAnAgentThatEndsAsTheRelayLeavesItsSessions) {
  stage_.isolation = Isolation::kContainer;
  const auto session = ending();
  stop_relay(sessions().leave_all());
  EXPECT_THAT(record(session->id())->cause, StartsWith("agent_exited"));
  EXPECT_THAT(stage_.released, IsEmpty());
}

// Before its run() has ended, and then.
TEST_F(DirectoryClosing, IsRefusedOfASessionThatWasLeftToTheNextRun) {
  stage_.isolation = Isolation::kContainer;
  use_stage();
  const auto session = create();
  const SessionId id = session->id();
  bool stopped = false;
  asio::co_spawn(io_, sessions().leave_all(), [&](std::exception_ptr) { stopped = true; });
  run_until([&] { return session->was_left(); });
  const auto attached = session->attach({});
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().type, ErrorType::kShuttingDown);
  for (int round = 0; round < 2; ++round) {
    const auto open = record(id);
    ASSERT_TRUE(open);
    EXPECT_FALSE(open->closed_at);
    EXPECT_TRUE(sessions().is_left(*open));
    const auto closed =
        run(sessions().give_up(id, make_error(ErrorType::kSessionClosed, "test"), "closed"));
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().type, ErrorType::kShuttingDown);
    EXPECT_TRUE(closed.error().recoverable);
    const auto erased = run(sessions().erase(id));
    ASSERT_FALSE(erased);
    EXPECT_EQ(erased.error().type, ErrorType::kShuttingDown);
    const auto restarted = run(sessions().restart(*open));
    ASSERT_FALSE(restarted);
    EXPECT_EQ(restarted.error().type, ErrorType::kShuttingDown);
    run_until([&] { return stopped; });
    EXPECT_EQ(sessions().find(id), nullptr);
  }
  EXPECT_THAT(stage_.released, IsEmpty());
}

TEST_F(DirectoryClosing, KeepsWhatIsLeftOfAnAgentThatEndsAsTheRelayClosesItsSessions) {
  const auto session = ending();
  stop_relay(sessions().close_all());
  EXPECT_THAT(record(session->id())->cause, StartsWith("agent_exited"));
  EXPECT_THAT(stage_.released, IsEmpty());
}

TEST_F(DirectoryClosing, KeepsWhatIsLeftOfAnAgentThatEndsAsTheRelayHasNoTimeLeft) {
  const auto session = ending();
  sessions().abandon_all();
  EXPECT_THAT(record(session->id())->cause, StartsWith("agent_exited"));
  stop_relay(sessions().close_all());
  EXPECT_THAT(stage_.released, IsEmpty());
}

TEST_F(DirectoryClosing, KeepsWhatIsLeftWhenATaskOfTheSessionFails) {
  use_stage();
  const auto session = create();
  stage_.loses_input = true;
  prompt(*session, reading(attach(*session)), "7", "hello");
  wait_until_gone(session->id());
  EXPECT_THAT(record(session->id())->cause, StartsWith("internal_error: a task of the session"));
  EXPECT_THAT(stage_.released, IsEmpty());
}

TEST_F(DirectoryClosing, KeepsWhatIsLeftOfASessionThatTheEngineRefusesToGoOnWith) {
  use_stage();
  sessions();
  storage::SessionRecord open;
  open.id = SessionId("sess_open");
  log_->session_created(open);
  stage_.refusal = make_error(ErrorType::kContainerStartFailed, "the Engine refuses to attach");
  run_void(sessions().recover());
  EXPECT_EQ(record(open.id)->cause,
            "relay_restarted: container_start_failed: the Engine refuses to attach");
  EXPECT_THAT(stage_.released, IsEmpty());
}

TEST_F(DirectoryClosing, OfASessionThatSomebodyIsAboutToRestartIsForGood) {
  use_stage();
  for (const bool restart_is_first : {true, false}) {
    const auto session = create();
    end(session);
    stage_.released.clear();
    NewSession restart = wanted();
    restart.is_restart = true;
    Answer answer;
    bool ended = false;
    if (restart_is_first) reopen(session->id(), restart, answer);
    give_up(session->id(), ended);
    if (!restart_is_first) reopen(session->id(), restart, answer);
    run_until([&] { return ended && answer; });
    ASSERT_FALSE(*answer) << restart_is_first;
    EXPECT_EQ(answer->error().type, ErrorType::kSessionClosed);
    EXPECT_EQ(sessions().find(session->id()), nullptr);
    EXPECT_THAT(record(session->id())->cause, StartsWith("closed: agent_exited"));
    EXPECT_THAT(stage_.released, ElementsAre(session->id()));
  }
}

TEST_F(DirectoryClosing, ByADeletionLeavesNothingToWhoIsAboutToLoadIt) {
  use_stage();
  for (const bool load_is_first : {true, false}) {
    const auto session = create();
    end(session);
    Answer answer;
    std::optional<Result<void>> erased;
    if (load_is_first) reopen(session->id(), wanted(), answer);
    erase(session->id(), erased);
    if (!load_is_first) reopen(session->id(), wanted(), answer);
    run_until([&] { return erased && answer; });
    EXPECT_TRUE(*erased);
    ASSERT_FALSE(*answer) << load_is_first;
    EXPECT_EQ(answer->error().type, ErrorType::kSessionNotFound);
    EXPECT_EQ(sessions().find(session->id()), nullptr);
    EXPECT_FALSE(record(session->id()));
  }
}

TEST_F(DirectoryClosing, IsFollowedByADeletionThatComesMeanwhile) {
  use_stage();
  const auto session = create();
  end(session);
  bool ended = false;
  give_up(session->id(), ended);
  std::optional<Result<void>> erased;
  erase(session->id(), erased);
  run_until([&] { return ended && erased; });
  EXPECT_TRUE(*erased);
  EXPECT_FALSE(record(session->id()));
}

TEST_F(DirectoryClosing, OfASessionThatIsBeingOpenedAgainTakesItsDirectories) {
  agent_.args = {"--hang-on", "session/resume"};
  options_.startup_timeout = 1h;
  use_stage();
  const auto session = create();
  close(session);
  EXPECT_THAT(stage_.released, ElementsAre(session->id()));
  stage_.released.clear();
  Answer answer;
  reopen(session->id(), wanted(), answer);
  run_until([] { return has_children(); });
  std::optional<Result<void>> erased;
  erase(session->id(), erased);
  run_until([&] { return erased && answer; });
  EXPECT_TRUE(*erased);
  EXPECT_FALSE(*answer);
  EXPECT_THAT(stage_.released, ElementsAre(session->id()));
  EXPECT_FALSE(record(session->id()));
}

// Those of one that was closed for good were made for this start.
TEST_F(DirectoryClosing, LeavesDirectoriesToAFailedStartOnlyWhereTheyWereBefore) {
  use_stage();
  const auto closed = create();
  close(closed);
  const auto ended = create();
  end(ended);
  const auto stuck = create();  // and was ended for that
  auto record_of_stuck = stuck->record();
  close(stuck);
  record_of_stuck.cause = "agent_protocol_error: the agent does not read its input";
  record_of_stuck.closed_at = wall_now();
  log_->session_created(record_of_stuck);
  stage_.released.clear();
  const Error refusal = make_error(ErrorType::kAgentStartFailed, "not now");
  stage_.refusal = refusal;
  EXPECT_FALSE(run(sessions().reopen(ended->id(), wanted())));
  stage_.refusal = refusal;
  EXPECT_FALSE(run(sessions().reopen(stuck->id(), wanted())));
  EXPECT_THAT(stage_.released, IsEmpty());
  stage_.refusal = refusal;
  EXPECT_FALSE(run(sessions().reopen(closed->id(), wanted())));
  EXPECT_THAT(stage_.released, ElementsAre(closed->id()));
}

}  // namespace
}  // namespace relay
