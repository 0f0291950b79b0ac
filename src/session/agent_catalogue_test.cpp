#include "session/agent_catalogue.hpp"

#include "session/session_fixture.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A backend that starts the demo agent and keeps what it was asked.
class NotingBackend final : public AgentBackend {
 public:
  NotingBackend(asio::any_io_executor executor, ProcessOptions options, Isolation isolation)
      : isolation_(isolation),
        backend_(std::move(executor), std::move(options), Logger::silent()) {}

  Task<Result<std::unique_ptr<Agent>>> launch(LaunchSpec spec) override {
    launched.push_back(spec);
    return backend_.launch(std::move(spec));
  }
  Task<Result<Reattachment>> reattach(SessionId session, OutputPosition position) override {
    reattached.push_back(session);
    return backend_.reattach(std::move(session), position);
  }
  Task<void> end_unwanted(SessionId session) override {
    ended.push_back(session);
    co_return;
  }
  Task<void> release(SessionId session) override {
    released.push_back(session);
    co_return;
  }
  Task<void> shut_down() override { co_return; }
  std::optional<Error> unavailable() const override { return std::nullopt; }
  Isolation isolation() const override { return isolation_; }

  std::vector<LaunchSpec> launched;
  std::vector<SessionId> reattached;
  std::vector<SessionId> ended;
  std::vector<SessionId> released;

 private:
  Isolation isolation_;
  ProcessBackend backend_;
};

class SeveralAgents : public SessionFixture {
 protected:
  SeveralAgents() {
    options_.client_env = {"FOR_ALL"};
    SessionOptions options = options_;
    options.client_env = {"MODEL"};
    others_.push_back({"plain", plain_, options_});
    others_.push_back({"contained", contained_, options});
  }
  Result<std::shared_ptr<Session>> try_create(
      const std::string& agent, std::vector<std::pair<std::string, std::string>> environment = {}) {
    NewSession request = wanted();
    request.agent = agent;
    request.environment = std::move(environment);
    return run(sessions().create(std::move(request)));
  }

  NotingBackend plain_{io_.get_executor(), agent_, Isolation::kProcess};
  NotingBackend contained_{io_.get_executor(), agent_, Isolation::kContainer};
};

TEST_F(SeveralAgents, MakeSessionsOfTheirOwn) {
  const auto standard = try_create("");
  const auto contained = try_create("contained");
  ASSERT_TRUE(standard);
  ASSERT_TRUE(contained);
  EXPECT_EQ((*standard)->record().agent, "");
  EXPECT_EQ((*standard)->record().isolation, "process");
  EXPECT_EQ((*contained)->record().agent, "contained");
  EXPECT_EQ((*contained)->record().isolation, "container");
  EXPECT_EQ(contained_.launched.size(), 1u);
  EXPECT_TRUE(plain_.launched.empty());
  EXPECT_EQ(record((*contained)->id())->agent, "contained");
}

TEST_F(SeveralAgents, AreRefusedByNameWhenThereIsNoSuchOne) {
  const auto refused = try_create("claud");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kInvalidParams);
  EXPECT_THAT(refused.error().explanation, HasSubstr("\"claud\""));
  EXPECT_THAT(refused.error().suggested_actions, Contains("choose one of: plain, contained"));
  EXPECT_EQ(sessions().size(), 0u);
}

TEST_F(SeveralAgents, TakeTheVariablesThatTheirKeysAllow) {
  EXPECT_TRUE(try_create("", {{"FOR_ALL", "1"}}));
  EXPECT_TRUE(try_create("contained", {{"MODEL", "m"}}));
  EXPECT_EQ(contained_.launched.at(0).environment.size(), 1u);
  const auto standard = try_create("", {{"MODEL", "m"}});
  ASSERT_FALSE(standard);
  EXPECT_EQ(standard.error().type, ErrorType::kInvalidParams);
  EXPECT_THAT(standard.error().suggested_actions.at(0), HasSubstr(" agent.client_env"));
  const auto contained = try_create("contained", {{"LD_PRELOAD", "x"}});
  ASSERT_FALSE(contained);
  EXPECT_THAT(contained.error().suggested_actions.at(0), HasSubstr("agents.contained.client_env"));
}

TEST_F(SeveralAgents, IntroduceThemselvesEach) {
  EXPECT_TRUE(run(sessions().agent_profile("contained")));
  EXPECT_EQ(contained_.launched.size(), 1u);
  EXPECT_TRUE(run(sessions().agent_profile("contained")));
  EXPECT_EQ(contained_.launched.size(), 1u) << "it is known";
  EXPECT_TRUE(plain_.launched.empty());
  EXPECT_TRUE(run(sessions().agent_profile("plain")));
  EXPECT_EQ(plain_.launched.size(), 1u);
  EXPECT_FALSE(run(sessions().agent_profile("gone")));
  EXPECT_FALSE(run(sessions().try_login("gone", {})));
  sessions().forget_profile("contained");
  EXPECT_TRUE(run(sessions().agent_profile("contained")));
  EXPECT_EQ(contained_.launched.size(), 2u) << "another program may stand behind it";
}

TEST_F(SeveralAgents, AreNotKnownByAProgramThatWasChangedWhileItIntroducedItself) {
  bool is_known = false;
  asio::co_spawn(io_, sessions().agent_profile("contained"),
                 [&](std::exception_ptr, const Result<std::string>& profile) {
                   EXPECT_TRUE(profile);
                   is_known = true;
                 });
  run_until([&] { return contained_.launched.size() == 1; });
  sessions().forget_profile("contained");
  run_until([&] { return is_known; });
  EXPECT_TRUE(run(sessions().agent_profile("contained")));
  EXPECT_EQ(contained_.launched.size(), 2u) << "the one before says nothing of this one";
}

TEST_F(SeveralAgents, AreNotKnownByAProgramThatWasChangedWhileItStarted) {
  bool is_there = false;
  NewSession request = wanted();
  request.agent = "contained";
  asio::co_spawn(io_, sessions().create(request),
                 [&](std::exception_ptr, Result<std::shared_ptr<Session>> made) {
                   EXPECT_TRUE(made);
                   is_there = true;
                 });
  run_until([&] { return contained_.launched.size() == 1; });
  sessions().forget_profile("contained");
  run_until([&] { return is_there; });
  EXPECT_TRUE(run(sessions().agent_profile("contained")));
  EXPECT_EQ(contained_.launched.size(), 2u);
}

TEST_F(SeveralAgents, GoOnWithTheirOwnSessions) {
  const auto session = try_create("contained");
  ASSERT_TRUE(session);
  const SessionId id = (*session)->id();
  (*session)->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_void((*session)->wait_closed());
  const auto again = run(sessions().reopen(id, wanted()));
  ASSERT_TRUE(again) << again.error().explanation;
  EXPECT_EQ(contained_.launched.size(), 2u);
  EXPECT_EQ(record(id)->agent, "contained");
  (*again)->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_void((*again)->wait_closed());

  storage::SessionRecord closed = *record(id);
  closed.agent = "gone";
  log_->session_reopened(closed);
  log_->session_closed(id, "test", closed.created_at);
  const auto refused = run(sessions().reopen(id, wanted()));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().suggested_actions, Contains(HasSubstr("agents.gone")));
}

// A client closes it while what the agent's end means is still told.
TEST_F(SeveralAgents, AreToldWhenASessionIsGivenUpAsItEndsByItself) {
  const auto session = try_create("plain");
  ASSERT_TRUE(session);
  prompt(**session, reading(attach(**session)), "1", "/exit 3");
  run_until([&] { return (*session)->state() == SessionState::kClosed; });
  (*session)->close(make_error(ErrorType::kSessionClosed, "test"), "test");
  run_void((*session)->wait_closed());
  EXPECT_THAT(plain_.released, ElementsAre((*session)->id()));
}

TEST_F(SeveralAgents, KeepWhatASessionLeftThatEndedByItself) {
  const auto session = try_create("plain");
  ASSERT_TRUE(session);
  prompt(**session, reading(attach(**session)), "1", "/exit 3");
  run_void((*session)->wait_closed());
  EXPECT_THAT(plain_.released, IsEmpty());
}

TEST_F(SeveralAgents, AreToldWhenTheirSessionsAreGivenUp) {
  storage::SessionRecord record;
  record.id = SessionId("sess_1");
  record.agent = "plain";
  record.isolation = "process";
  run_void(sessions().release(record));
  EXPECT_THAT(plain_.released, ElementsAre(record.id));
  // Its agent ran in a container then, or is not configured any more.
  record.isolation = "container";
  run_void(sessions().release(record));
  record.agent = "gone";
  run_void(sessions().release(record));
  EXPECT_THAT(contained_.released, ElementsAre(record.id, record.id));
  record.isolation = "elsewhere";
  run_void(sessions().release(record));
  EXPECT_EQ(contained_.released.size(), 2u);
}

TEST_F(SeveralAgents, GoOnWithTheirOwnSessionsAloneWhenTheRelayIsBack) {
  sessions();
  const auto recover = [this](const char* id, const char* agent) {
    storage::SessionRecord open;
    open.id = SessionId(id);
    open.agent = agent;
    open.isolation = "container";
    log_->session_created(open);
    run_void(sessions().recover());
    EXPECT_EQ(sessions().find(open.id), nullptr);
    return record(open.id)->cause;
  };
  EXPECT_THAT(recover("sess_1", "gone"), HasSubstr("agent gone is not configured any more"));
  EXPECT_THAT(recover("sess_2", "plain"), HasSubstr("agent plain runs as a process now"));
  EXPECT_THAT(contained_.reattached, IsEmpty());
  EXPECT_THAT(contained_.ended, ElementsAre(SessionId("sess_1"), SessionId("sess_2")));

  recover("sess_3", "contained");
  EXPECT_THAT(contained_.reattached, ElementsAre(SessionId("sess_3")));
  EXPECT_EQ(contained_.ended.size(), 2u);
  EXPECT_THAT(plain_.reattached, IsEmpty());
}

}  // namespace
}  // namespace relay
