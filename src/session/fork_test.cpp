// Forks of sessions: what they begin with, and what becomes of those that fail.
#include "protocol/relay_ids.hpp"
#include "session/fork_fixture.hpp"
#include "session/unfinished.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::HasSubstr;

using SessionFork = ForkFixture;

TEST_F(SessionFork, BeginsWithWhatWasSaidAndGoesItsOwnWay) {
  const auto parent = said("one");
  const storage::Sequence until = parent->last_sequence();
  const auto child = fork(parent->record());
  EXPECT_NE(child->id(), parent->id());
  EXPECT_NE(child->record().agent_session_id, parent->record().agent_session_id);
  EXPECT_EQ(child->forked_at(), until);
  EXPECT_EQ(child->record().title, "one");
  EXPECT_TRUE(child->agent_remembers());

  Client& client = reading(attach(*child));
  say(*child, client, "two");
  say(*child, client, "/recall");
  EXPECT_TRUE(client.has(R"(one\ntwo\n/recall)")) << "its agent knows both";
  EXPECT_EQ(parent->last_sequence(), until) << "the parent knows nothing of it";
}

TEST_F(SessionFork, HasTheParentsMessagesUnderTheirNumbersAndItsOwnId) {
  const auto parent = said("/subagent");
  const auto child = fork(parent->record());
  const auto before = history(parent->id()).messages;
  const auto after = history(child->id()).messages;
  ASSERT_GT(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].sequence, before[i].sequence);
    EXPECT_EQ(after[i].body.view(),
              for_session(before[i].body.view(), parent->id().value(), child->id().value()));
    EXPECT_EQ(after[i].body.view().find(parent->id().value()), std::string_view::npos);
  }
  EXPECT_EQ(after[before.size()].method, "session/fork");
  EXPECT_EQ(after.back().sequence, static_cast<storage::Sequence>(after.size()))
      << "without a hole";
}

TEST_F(SessionFork, IsRefusedWhereWhatItBeginsWithCanNotBeWrittenFirst) {
  options_.durable_first = true;
  use_stage();
  const auto parent = said("one");
  stage_.launching = event();
  std::optional<Result<std::shared_ptr<Session>>> made;
  asio::co_spawn(io_, sessions().fork(parent->record(), fork_request()),
                 [&made](std::exception_ptr, Result<std::shared_ptr<Session>> given) {
                   made = std::move(given);
                 });
  run_until([&] { return stage_.launches == 2; });
  fill();
  stage_.launching->happen();
  run_until([&] { return made.has_value(); });
  ASSERT_FALSE(*made);
  EXPECT_THAT(made->error().explanation, HasSubstr("can't be written"));
  make_room();
}

TEST_F(SessionFork, IsReplayedAsAWhole) {
  const auto parent = said("one");
  const auto child = fork(parent->record());
  Client& client = reading(attach(*child, 0));
  wait_for(client, "available_commands_update");
  EXPECT_TRUE(client.has("one"));
}

TEST_F(SessionFork, OfAClosedSessionToo) {
  const auto parent = said("one");
  parent->close(make_error(ErrorType::kSessionClosed, "closed"), "closed");
  run_void(parent->wait_closed());
  run_until([&] { return sessions().find(parent->id()) == nullptr; });
  const auto child = fork(*record(parent->id()));
  Client& client = reading(attach(*child));
  say(*child, client, "/recall");
  EXPECT_TRUE(client.has(R"(one\n/recall)"));
}

TEST_F(SessionFork, OfARunningTurnIsNotInIt) {
  const auto parent = said("one");
  Client& client = reading(attach(*parent));
  prompt(*parent, client, "7", "/sleep 600");
  run_until([&] { return parent->turn_running(); });
  const auto child = fork(parent->record());
  EXPECT_FALSE(child->turn_running());
  const auto open = run(log_->open_calls(child->id()));
  ASSERT_TRUE(open);
  EXPECT_TRUE(open->requests.empty()) << "nobody waits for an answer in it";
}

TEST_F(SessionFork, SaysWhatOfThePastIsGone) {
  const auto parent = said("one");
  const storage::Sequence until = parent->last_sequence();
  log_->gap(parent->id(), {until + 1, until + 3});
  storage::SessionRecord longer = parent->record();
  parent->close(make_error(ErrorType::kSessionClosed, "closed"), "closed");
  run_void(parent->wait_closed());
  run_until([&] { return sessions().find(parent->id()) == nullptr; });
  longer.last_sequence = until + 2;
  const auto child = fork(longer);
  const auto gaps = history(child->id()).gaps;
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].from, until + 1);
  EXPECT_EQ(gaps[0].to, until + 2) << "only what lies before the fork";
}

TEST_F(SessionFork, SaysWhatTheLogDoesNotHave) {
  const auto parent = said("one");
  parent->close(make_error(ErrorType::kSessionClosed, "closed"), "closed");
  run_until([&] { return sessions().find(parent->id()) == nullptr; });
  storage::SessionRecord longer = *record(parent->id());
  const storage::Sequence last = longer.last_sequence;
  longer.last_sequence += 2;
  const auto gaps = history(fork(longer)->id()).gaps;
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].from, last + 1);
  EXPECT_EQ(gaps[0].to, last + 2);
}

TEST_F(SessionFork, OfASessionThatIsDeletedMeanwhileLeavesNothing) {
  const auto parent = said("one");
  storage::SessionRecord deleted = parent->record();
  deleted.last_sequence = parent->last_sequence();
  ASSERT_TRUE(run(sessions().erase(parent->id())));
  const auto refused = try_fork(deleted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kSessionNotFound);
  EXPECT_EQ(sessions_in_log(), 0U);
}

TEST_F(SessionFork, ThatTheAgentRefusesLeavesNothing) {
  const auto parent = said("one");
  storage::SessionRecord unknown = parent->record();
  unknown.agent_session_id = "demo-0";
  const auto refused = try_fork(unknown);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().explanation, HasSubstr("Session not found"));
  EXPECT_EQ(sessions_in_log(), 1U);
}

TEST_F(SessionFork, ThatIsClosedWhileItsPastIsCopiedLeavesNothing) {
  const auto parent = said("one");
  std::optional<Result<std::shared_ptr<Session>>> answer;
  asio::co_spawn(
      io_, sessions().fork(parent->record(), fork_request()),
      [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) { answer = std::move(made); });
  std::shared_ptr<Session> child;
  run_until([&] {
    for (const auto& one : sessions().all()) {
      if (one->record().cause == kUnfinishedFork) child = one;
    }
    return child != nullptr;
  });
  ASSERT_EQ(child->state(), SessionState::kStarting);
  child->close(make_error(ErrorType::kSessionClosed, "closed"), "closed");
  run_until([&] { return answer.has_value(); });
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().type, ErrorType::kSessionClosed);
  EXPECT_EQ(sessions_in_log(), 1U);
}

TEST_F(SessionFork, NeedsAnAgentThatCan) {
  agent_.args.clear();
  const auto refused = try_fork(said("one")->record());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kMethodNotFound);
  EXPECT_EQ(sessions_in_log(), 1U);
}

TEST_F(SessionFork, ThatARelayLeftUnfinishedIsErasedByTheNext) {
  sessions();
  storage::SessionRecord half;
  half.id = SessionId("sess_00112233445566778899aabbccddeeff");
  half.isolation = "process";
  half.cause = kUnfinishedFork;
  log_->session_created(half);
  run_void(sessions().recover());
  EXPECT_EQ(sessions_in_log(), 0U);
}

}  // namespace
}  // namespace relay
