#include "management/management_api.hpp"

#include "management/api_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace relay::management {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kUnknownId = "/api/sessions/sess_00000000000000000000000000000000";

TEST_F(ManagementApiTest, TellsThatItRuns) {
  ManagementContext with = context();
  with.version = "1.2.3";
  with.isolation = "process";
  with.start = std::chrono::steady_clock::now() - std::chrono::seconds(90);
  ManagementApi api(std::move(with));
  const http::Response answer = ask(api, "GET", "/api/health");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_THAT(answer.body, HasSubstr(R"("version":"1.2.3","uptime_seconds":9)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("isolation":"process","agent_command":null,"sessions":0)"));
}

TEST_F(ManagementApiTest, IsReadyUntilTheLimitIsReached) {
  EXPECT_EQ(ask("GET", "/api/ready").status, 200);
  new_session();
  new_session();
  const http::Response answer = ask("GET", "/api/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "5");
  EXPECT_THAT(answer.body, HasSubstr(R"("reasons":["session_limit_reached"])"));
}

TEST_F(ManagementApiTest, IsNotReadyForReasonsOfTheApplication) {
  ManagementContext with = context();
  with.extra_reasons = []() -> Task<std::vector<std::string>> {
    co_return std::vector<std::string>{"shutting_down"};
  };
  ManagementApi api(std::move(with));
  const http::Response answer = ask(api, "GET", "/api/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr(R"("reasons":["shutting_down"])"));
}

TEST_F(ManagementApiTest, TellsPrometheusWhetherItIsReadyAndWhyNot) {
  EXPECT_THAT(ask("GET", "/metrics").body,
              AllOf(HasSubstr("acp_relay_ready 1\n"),
                    HasSubstr("acp_relay_not_ready{reason=\"canary_failed\"} 0\n")));
  ManagementContext with = context();
  with.extra_reasons = []() -> Task<std::vector<std::string>> {
    co_return std::vector<std::string>{"canary_failed"};
  };
  ManagementApi api(std::move(with));
  EXPECT_THAT(ask(api, "GET", "/metrics").body,
              AllOf(HasSubstr("acp_relay_ready 0\n"),
                    HasSubstr("acp_relay_not_ready{reason=\"canary_failed\"} 1\n"),
                    HasSubstr("acp_relay_not_ready{reason=\"draining\"} 0\n")));
}

TEST_F(ManagementApiTest, ShowsTheConfigurationAndMetrics) {
  ManagementContext with = context();
  with.config_json = std::string(R"({"server":{}})");
  ManagementApi api(std::move(with));
  EXPECT_EQ(ask(api, "GET", "/api/config").body, R"({"server":{}})");
  const http::Response metrics = ask(api, "GET", "/metrics");
  EXPECT_EQ(metrics.header("Content-Type"), Metrics::kContentType);
  EXPECT_THAT(metrics.body, HasSubstr("acp_relay_"));
}

TEST_F(ManagementApiTest, RefusesOtherPathsAndMethods) {
  const http::Response unknown = ask("GET", "/api/unknown");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, StartsWith(R"({"error":{"code":)"));
  EXPECT_THAT(unknown.body, HasSubstr(R"("error_type":"method_not_found")"));

  const http::Response wrong = ask("POST", "/api/health");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD");
  EXPECT_EQ(ask("DELETE", "/api/sessions").status, 405);
  EXPECT_EQ(ask("PUT", kUnknownId).header("Allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(ask("GET", "/api/sessions?limit=0").status, 400);
  EXPECT_EQ(ask("GET", "/api/sessions?cursor=nonsense!").status, 400);
}

TEST_F(ManagementApiTest, ShowsALiveSession) {
  const std::string id = new_session();
  const http::Response list = ask("GET", "/api/sessions?format=page");
  EXPECT_EQ(list.status, 200);
  EXPECT_THAT(list.body, StartsWith(R"({"sessions":[{"id":")" + id));
  const http::Response one = ask("GET", "/api/sessions/" + id);
  EXPECT_EQ(one.status, 200);
  EXPECT_THAT(one.body, HasSubstr(R"("isActive":true)"));
  EXPECT_THAT(one.body,
              HasSubstr(R"("owner":"ada","state":"ready","clients":0,)"
                        R"("turnRunning":false,"runsAs":"pid 4711","upstreamUse":null})"));
  EXPECT_THAT(one.body, HasSubstr(R"("lastSequence":2,)"));
  EXPECT_THAT(list.body, HasSubstr(one.body)) << "both show the same";
}

TEST_F(ManagementApiTest, ListsASessionThatIsReadyBeforeTheLogAnswers) {
  backend_.launching = std::make_shared<Event>(loop_.get_executor());
  asio::co_spawn(loop_, sessions_->create(wanted()),
                 [](std::exception_ptr, const Result<std::shared_ptr<Session>>&) {});
  loop_.restart();
  while (sessions_->all().empty()) loop_.poll();
  const auto session = sessions_->all().front();
  ASSERT_EQ(session->state(), SessionState::kStarting);
  for (int i = 0; i < 500; ++i) {  // the log answers the list behind these
    asio::co_spawn(loop_, log_->list({}),
                   [](std::exception_ptr, const Result<storage::SessionPage>&) {});
  }
  loop_.poll();
  backend_.launching->happen();
  EXPECT_THAT(ask("GET", "/api/sessions?format=page").body, HasSubstr(session->id().value()));
}

TEST_F(ManagementApiTest, PagesThroughSessions) {
  const std::string first = new_session();
  const std::string second = new_session();
  const http::Response page = ask("GET", "/api/sessions?format=page&limit=1");
  EXPECT_THAT(page.body, HasSubstr(second));
  EXPECT_THAT(page.body, Not(HasSubstr(first)));
  const std::string mark = R"("nextCursor":")";
  const std::size_t at = page.body.find(mark);
  ASSERT_NE(at, std::string::npos);
  const std::string cursor =
      page.body.substr(at + mark.size(), page.body.size() - at - mark.size() - 2);
  const http::Response rest = ask("GET", "/api/sessions?format=page&cursor=" + cursor);
  EXPECT_THAT(rest.body, HasSubstr(first));
  EXPECT_THAT(rest.body, Not(HasSubstr(second)));
  EXPECT_THAT(rest.body, Not(HasSubstr("nextCursor")));

  const http::Response array = ask("GET", "/api/sessions?limit=1");
  EXPECT_THAT(array.body, StartsWith(R"([{"id":")" + second));
  EXPECT_EQ(array.header("Link"), "</api/sessions?limit=1&cursor=" + cursor + ">; rel=\"next\"");
  EXPECT_EQ(ask("GET", "/api/sessions?cursor=" + cursor).header("Link"), "");
}

TEST_F(ManagementApiTest, WritesTimesAsEarlierServersDidInTheArrayOnly) {
  new_session();
  EXPECT_THAT(ask("GET", "/api/sessions").body,
              MatchesRegex(R"(.*"createdAt":"[0-9-]{10} [0-9:]{8}",.*)"));
  EXPECT_THAT(ask("GET", "/api/sessions?format=page").body,
              MatchesRegex(R"(.*"createdAt":"[0-9-]{10}T[0-9:.]{12}Z",.*)"));
}

TEST_F(ManagementApiTest, LetsPagesOfAdmittedOriginsAsk) {
  const http::Headers page{{"Origin", "http://localhost:5173"}};
  EXPECT_EQ(ask("GET", "/api/health", page).header("Access-Control-Allow-Origin"),
            "http://localhost:5173");
  const http::Response preflight = ask("OPTIONS", "/api/sessions", page);
  EXPECT_EQ(preflight.status, 204);
  EXPECT_THAT(std::string(preflight.header("Access-Control-Allow-Methods")), HasSubstr("DELETE"));
  EXPECT_EQ(ask("OPTIONS", "/api/sessions", {{"Origin", "https://evil.example"}}).status, 403);
}

TEST_F(ManagementApiTest, ClosesALiveSessionAndErasesAClosedOne) {
  const std::string id = new_session();
  const std::string path = "/api/sessions/" + id;
  const http::Response closed = ask("DELETE", path);
  EXPECT_EQ(closed.status, 200);
  EXPECT_EQ(closed.body, R"({"id":")" + id + R"(","outcome":"closed"})");

  const http::Response shown = ask("GET", path);
  EXPECT_THAT(shown.body, HasSubstr(R"("isActive":false)"));
  EXPECT_THAT(shown.body, HasSubstr(R"("cause":"operator")"));
  EXPECT_THAT(shown.body, Not(HasSubstr(R"("state")")));

  // The directory forgets a session a moment after it has closed.
  run(sessions_->close_all());
  const http::Response erased = ask("DELETE", path);
  EXPECT_EQ(erased.status, 200);
  EXPECT_THAT(erased.body, HasSubstr(R"("outcome":"erased")"));
  EXPECT_EQ(ask("GET", path).status, 404);
  EXPECT_EQ(ask("DELETE", path).status, 404);
}

TEST_F(ManagementApiTest, ClosesAllThatAreMeant) {
  EXPECT_EQ(ask("POST", "/api/sessions/close?only=all").body, R"({"closed":[]})");
  const std::string first = new_session();
  const std::string second = new_session();
  EXPECT_EQ(ask("POST", "/api/sessions/close").status, 400);
  EXPECT_EQ(ask("GET", "/api/sessions/close?only=all").status, 405);
  EXPECT_THAT(ask("GET", "/api/sessions/" + first).body, HasSubstr(R"("isActive":true)"));

  const http::Response closed = ask("POST", "/api/sessions/close?only=idle");
  EXPECT_EQ(closed.status, 200);
  for (const std::string& id : {first, second}) {
    EXPECT_THAT(closed.body, HasSubstr(id));
    EXPECT_THAT(ask("GET", "/api/sessions/" + id).body, HasSubstr(R"("cause":"operator")"));
  }
}

TEST_F(ManagementApiTest, KnowsNoOtherSession) {
  for (const char* method : {"GET", "DELETE"}) {
    const http::Response answer = ask(method, kUnknownId);
    EXPECT_EQ(answer.status, 404) << method;
    EXPECT_THAT(answer.body, HasSubstr(R"("error_type":"session_not_found")")) << method;
  }
  EXPECT_EQ(ask("GET", std::string(kUnknownId) + "/export").status, 404);
}

class LongExport : public ManagementApiTest {
 protected:
  // A closed session with 1200 messages more than the number that it answers.
  std::pair<std::string, storage::Sequence> long_session() {
    const std::string id = new_session();
    run(sessions_->close_all());
    const auto before = run(log_->history(SessionId(id), 0, 100, 1u << 20));
    const storage::Sequence last = before->messages.back().sequence;
    for (storage::Sequence i = 1; i <= 1200; ++i) {
      storage::MessageRecord message;
      message.sequence = last + i;
      message.body =
          SharedBytes(R"({"jsonrpc":"2.0","method":"m","params":)" + std::to_string(i) + "}");
      log_->record(SessionId(id), std::move(message));
    }
    return {id, last};
  }
};

TEST_F(LongExport, IsCutOffWhenTheSessionIsDeletedMeanwhile) {
  const auto [id, last] = long_session();
  ManagementApi api(context());
  RecordedExchange exchange = asked("GET", "/api/sessions/" + id + "/export");
  exchange.after_first_write = [this, &id = id]() -> Task<void> {
    const auto erased = co_await log_->erase(SessionId(id));
    EXPECT_TRUE(erased);
  };
  run(api.handle(exchange));
  EXPECT_GE(exchange.writes, 2);
  EXPECT_FALSE(exchange.finished);
}

TEST_F(LongExport, HasManyPages) {
  const auto [id, last] = long_session();
  const http::Response answer = ask("GET", "/api/sessions/" + id + "/export");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/x-ndjson");
  EXPECT_THAT(
      answer.body,
      StartsWith(R"({"type":"session","format":"acp-relay-session","version":1,"id":")" + id));
  EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), 1 + last + 1200);
  EXPECT_THAT(answer.body, HasSubstr(R"("method":"session/new","jsonrpcId":1,)"));
  EXPECT_THAT(answer.body, EndsWith("\"params\":1200}}\n"));
}

TEST_F(ManagementApiTest, StopsAnExportWhenThePeerIsGone) {
  const std::string id = new_session();
  run(sessions_->close_all());
  ManagementApi api(context());
  RecordedExchange exchange = asked("GET", "/api/sessions/" + id + "/export");
  exchange.fail_write_at = 1;
  run(api.handle(exchange));
  EXPECT_EQ(exchange.writes, 1);
  EXPECT_FALSE(exchange.finished);
}

TEST_F(ManagementApiTest, AsksForTheRightToken) {
  ManagementContext with = context();
  with.access->token_required = true;
  with.access->operator_only = true;
  with.access->tokens = {{"ada", http::sha256_hex("a-token"), http::Role::kUser},
                         {"opa", http::sha256_hex("o-token"), http::Role::kOperator}};
  ManagementApi api(std::move(with));
  const http::Response none = ask(api, "GET", "/api/sessions");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(ask(api, "GET", "/api/unknown").status, 401) << "strangers learn no paths";
  EXPECT_EQ(ask(api, "GET", "/api/sessions", {{"Authorization", "Bearer a-token"}}).status, 403);
  EXPECT_EQ(ask(api, "GET", "/api/sessions", {{"Authorization", "Bearer o-token"}}).status, 200);
  EXPECT_EQ(ask(api, "GET", "/api/health", {{"Origin", "http://evil.example"}}).status, 403);
}

TEST_F(ManagementApiTest, IsForOperatorsWhereTokensAreInUse) {
  ManagementContext with = context();
  with.access->tokens_in_use = true;  // of a loopback port that wants none itself
  with.access->tokens = {{"ada", http::sha256_hex("a-token"), http::Role::kUser},
                         {"eve", http::sha256_hex("e-token"), http::Role::kObserver},
                         {"opa", http::sha256_hex("o-token"), http::Role::kOperator}};
  ManagementApi api(std::move(with));
  const std::string path = "/api/sessions/" + new_session();
  const http::Headers nobody;
  const http::Headers ada{{"Authorization", "Bearer a-token"}};
  const http::Headers eve{{"Authorization", "Bearer e-token"}};
  const http::Headers opa{{"Authorization", "Bearer o-token"}};
  const std::pair<const char*, std::string> wants[] = {
      {"GET", "/api/config"},          {"GET", "/api/sessions"}, {"GET", path},
      {"GET", path + "/export"},       {"DELETE", path},         {"POST", "/api/sessions/close"},
      {"POST", "/api/sessions/import"}};
  for (const auto& [method, at] : wants) {
    EXPECT_EQ(ask(api, method, at, nobody).status, 401) << at;
    EXPECT_EQ(ask(api, method, at, ada).status, 403) << at;
    EXPECT_EQ(ask(api, method, at, eve).status, 403) << at;
  }
  for (const char* open : {"/api/health", "/api/ready", "/metrics"}) {
    EXPECT_EQ(ask(api, "GET", open, nobody).status, 200) << open;
  }
  EXPECT_EQ(ask(api, "GET", path + "/export", opa).status, 200);
  EXPECT_THAT(ask(api, "GET", path, opa).body, HasSubstr(R"("state":"ready")"));
}

TEST_F(ManagementApiTest, HoldsAPresentedTokenToItsRole) {
  ManagementContext with = context();
  with.access->tokens = {{"eve", http::sha256_hex("e-token"), http::Role::kObserver}};
  ManagementApi api(std::move(with));
  const std::string path = "/api/sessions/" + new_session();
  const http::Headers eve{{"Authorization", "Bearer e-token"}};
  EXPECT_EQ(ask(api, "GET", path, eve).status, 403);
  EXPECT_EQ(ask(api, "DELETE", path, eve).status, 403);
  EXPECT_THAT(ask(api, "GET", path).body, HasSubstr(R"("state":"ready")"));
}

TEST_F(ManagementApiTest, TakesALargeBodyForAnImportOnly) {
  ManagementApi api(context());
  http::Request head;
  head.method = "POST";
  head.headers = {{"Host", "localhost"}};
  head.path = "/api/sessions/import";
  EXPECT_FALSE(api.judge(head).refusal);
  EXPECT_EQ(api.judge(head).max_body_bytes, std::nullopt);
  head.method = "OPTIONS";
  EXPECT_EQ(api.judge(head).max_body_bytes, http::kUnreadBodyBytes) << "asks without a token";
  head.method = "POST";
  head.path = "/api/sessions/close";
  EXPECT_FALSE(api.judge(head).refusal);
  EXPECT_EQ(api.judge(head).max_body_bytes, http::kUnreadBodyBytes);
  head.path = "/session/new";
  EXPECT_EQ(api.judge(head).refusal->status, 404);
}

}  // namespace
}  // namespace relay::management
