#include "management/overview.hpp"

#include "management/api_fixture.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

namespace relay::management {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

WallTime at(std::chrono::milliseconds time) { return WallTime(1'769'847'330s + time); }

AgentUsage some_usage() {
  AgentUsage usage;
  usage.state = "running";
  usage.started_at = at(-90s);
  usage.cpu_time = 1s;
  usage.memory_bytes = 1000;
  usage.memory_limit_bytes = 2000;
  usage.processes = 3;
  usage.network_received_bytes = 10;
  usage.network_sent_bytes = 20;
  usage.disk_read_bytes = 30;
  usage.disk_written_bytes = 40;
  return usage;
}

AgentRow some_row() {
  AgentRow row;
  row.session = "sess_1";
  row.isolation = "container";
  row.runs_as = "container 8f7001f64a97";
  row.state = metrics::SessionState::kTurn;
  row.clients = 2;
  row.reading.usage = some_usage();
  row.reading.cpu_percent = 12.345;
  return row;
}

OverviewFacts some_facts() {
  OverviewFacts facts;
  facts.now = at(0ms);
  facts.version = "1.2.3";
  facts.uptime = 60s;
  facts.readiness.session_limit = 5;
  return facts;
}

TEST(OverviewView, ShowsAnAgentThatIsRead) {
  OverviewFacts facts = some_facts();
  facts.agents.push_back(some_row());
  EXPECT_THAT(
      overview_view(facts, {}),
      HasSubstr(R"("agents":[{"session":"sess_1","agent":null,"isolation":"container",)"
                R"("runsAs":"container 8f7001f64a97","state":"turn","clients":2,)"
                R"("runState":"running","startedAt":"2026-01-31T08:14:00.000Z","ageSeconds":90,)"
                R"("cpuPercent":12.3,"memoryBytes":1000,"memoryLimitBytes":2000,"processes":3,)"
                R"("processLimit":null,"networkReceivedBytes":10,"networkSentBytes":20,)"
                R"("diskReadBytes":30,"diskWrittenBytes":40}])"));
}

TEST(OverviewView, ShowsWhatIsUnknownAsNull) {
  OverviewFacts facts = some_facts();
  AgentRow row = some_row();
  row.reading = {};
  row.runs_as.clear();
  facts.agents.push_back(row);
  const std::string shown = overview_view(facts, {});
  for (const char* member : {"runsAs", "runState", "startedAt", "ageSeconds", "cpuPercent",
                             "memoryBytes", "networkSentBytes", "diskWrittenBytes"}) {
    EXPECT_THAT(shown, HasSubstr("\"" + std::string(member) + "\":null"));
  }
}

TEST(OverviewView, HasNoNegativeAge) {
  OverviewFacts facts = some_facts();
  facts.agents.push_back(some_row());
  facts.agents[0].reading.usage->started_at = at(5s);  // another clock
  EXPECT_THAT(overview_view(facts, {}), HasSubstr(R"("ageSeconds":0,)"));
}

TEST(OverviewView, CountsSessionsAndTellsReadiness) {
  OverviewFacts facts = some_facts();
  facts.sessions[metrics::SessionState::kReady] = 2;
  facts.sessions[metrics::SessionState::kClosing] = 1;
  facts.readiness.sessions = 5;
  facts.all_agents = 3;
  facts.offset = 3;
  const std::string shown = overview_view(facts, {});
  EXPECT_THAT(shown, HasSubstr(R"("version":"1.2.3","uptimeSeconds":60,"readiness":{"ready":false,)"
                               R"("reasons":["session_limit_reached"])"));
  EXPECT_THAT(shown, HasSubstr(R"("sessions":{"limit":5,"starting":0,"ready":2,"turn":0,)"
                               R"("closing":1})"));
  EXPECT_THAT(shown, HasSubstr(R"("agentsTotal":3,"agentsOffset":3)"));
}

TEST(OverviewView, HasTheNewestEventsFirst) {
  metrics::RecentEvents recent;
  metrics::AgentEvent event;
  event.time = at(1ms);
  event.session = "sess_1";
  event.cause = metrics::ExitCause::kFailed;
  event.exit_code = 3;
  event.text = "exit code 3";
  recent.note(event);
  event.agent = "claude";
  event.cause = metrics::ExitCause::kOutOfMemory;
  event.exit_code.reset();
  event.goes_on = true;
  recent.note(event);
  recent.note_error(make_error(ErrorType::kForbidden, "no"), "", at(2ms));
  recent.note_error(make_error(ErrorType::kForbidden, "no"), "", at(3ms));
  const std::string shown = overview_view(some_facts(), recent);
  EXPECT_THAT(
      shown,
      HasSubstr(R"("events":[{"time":"2026-01-31T08:15:30.001Z","session":"sess_1",)"
                R"("agent":"claude","cause":"out_of_memory","exitCode":null,"signal":null,)"
                R"("agentGoesOn":true,"text":"exit code 3"},{"time":"2026-01-31T08:15:30.001Z",)"
                R"("session":"sess_1","agent":null,"cause":"failed","exitCode":3,"signal":null,)"
                R"("agentGoesOn":false,"text":"exit code 3"}])"));
  EXPECT_THAT(shown, HasSubstr(R"("errors":[{"time":"2026-01-31T08:15:30.003Z","session":null,)"
                               R"("errorType":"forbidden","times":2,"text":"no"}])"));
  EXPECT_TRUE(boost::json::parse(shown).is_object());
}

class AgentSurveyTest : public ManagementApiTest {
 protected:
  void look(AgentSurvey& survey) { run(survey.look_at(sessions_->all())); }
};

TEST_F(AgentSurveyTest, ReadsTwiceForTheCpuUse) {
  const SessionId id(new_session());
  AgentSurvey survey;
  EXPECT_EQ(survey.of(id), nullptr);
  backend_.usage = some_usage();
  look(survey);
  ASSERT_NE(survey.of(id), nullptr);
  EXPECT_EQ(survey.of(id)->usage->memory_bytes, 1000U);
  EXPECT_EQ(survey.of(id)->cpu_percent, 0);
}

TEST_F(AgentSurveyTest, AsksNobodyWhoWasReadJustNow) {
  const SessionId id(new_session());
  AgentSurvey survey(SurveyLimits{.fresh = 1h});
  backend_.usage = some_usage();
  look(survey);
  backend_.usage->memory_bytes = 7;
  look(survey);
  EXPECT_EQ(survey.of(id)->usage->memory_bytes, 1000U);
}

TEST_F(AgentSurveyTest, AsksAnewWhenTheReadingIsOld) {
  const SessionId id(new_session());
  AgentSurvey survey(SurveyLimits{.fresh = 0ms});
  backend_.usage = some_usage();
  look(survey);
  backend_.usage->memory_bytes = 7;
  look(survey);
  EXPECT_EQ(survey.of(id)->usage->memory_bytes, 7U);
}

TEST_F(AgentSurveyTest, AsksNobodyForWhomTooLittleTimeIsLeft) {
  const SessionId id(new_session());
  AgentSurvey survey(SurveyLimits{.least = 1h, .all = 1min});
  look(survey);
  EXPECT_EQ(backend_.times_asked, 0);
  EXPECT_EQ(survey.of(id), nullptr);
}

TEST_F(AgentSurveyTest, GivesUpOnWhoDoesNotAnswer) {
  const SessionId id(new_session());
  backend_.usage.reset();
  AgentSurvey survey(SurveyLimits{.call = 10ms});
  look(survey);
  ASSERT_NE(survey.of(id), nullptr);
  EXPECT_FALSE(survey.of(id)->usage);
}

TEST_F(AgentSurveyTest, EndsWhenTheTimeForAllIsOver) {
  new_session();
  new_session();
  backend_.usage.reset();
  int read = 0;
  // On a busy machine a short time may be over before the first one is asked.
  for (auto all = 20ms; read == 0 && all < 20s; all *= 2) {
    AgentSurvey survey(SurveyLimits{.at_once = 1, .call = 1h, .least = 0ms, .all = all});
    look(survey);
    for (const auto& session : sessions_->all()) {
      read += survey.of(session->id()) != nullptr ? 1 : 0;
    }
  }
  EXPECT_EQ(read, 1) << "the other one was never asked";
}

TEST_F(AgentSurveyTest, ServesSeveralAtATime) {
  const SessionId id(new_session());
  backend_.usage = some_usage();
  AgentSurvey survey(SurveyLimits{.fresh = 0ms});
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(loop_, survey.look_at(sessions_->all()), [&](std::exception_ptr failure) {
      EXPECT_EQ(failure, nullptr);
      EXPECT_NE(survey.of(id), nullptr);
      ++done;
    });
  }
  look(survey);
  loop_.restart();
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (done < 3 && std::chrono::steady_clock::now() < deadline) loop_.run_one_for(10ms);
  EXPECT_EQ(done, 3);
  EXPECT_EQ(backend_.times_asked, 2) << "twice for the first, who came before the others";
}

TEST_F(AgentSurveyTest, IsAnsweredOverHttp) {
  backend_.usage = some_usage();
  const std::string id = new_session();
  const http::Response answer = ask("GET", "/api/overview");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("\"session\":\"" + id + "\""));
  EXPECT_THAT(answer.body, HasSubstr("\"memoryBytes\":1000"));
  EXPECT_EQ(ask("GET", "/api/overview?limit=0").status, 400);
  EXPECT_EQ(ask("POST", "/api/overview").status, 405);
  EXPECT_THAT(ask("GET", "/api/overview").body, HasSubstr("limit must be a number"));
}

}  // namespace
}  // namespace relay::management
