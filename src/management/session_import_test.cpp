#include "management/session_import.hpp"

#include "management/api_fixture.hpp"
#include "session/unfinished.hpp"
#include "storage/journal_codec.hpp"

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdlib.h>

namespace relay::management {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kId = "sess_00112233445566778899aabbccddeeff";

class SessionImportTest : public ManagementApiTest {
 protected:
  static std::string head(int last) {
    return std::string(R"({"type":"session","format":"acp-relay-session","version":1,"id":")") +
           kId + R"(","agentSessionId":"inner","workingDirectory":"/srv","owner":"ada",)" +
           R"("createdAt":"2026-01-31T08:15:30.123Z","closedAt":"2026-01-31T09:00:00.000Z",)" +
           R"("isolation":"process","title":"t","cause":"idle_timeout","lastSequence":)" +
           std::to_string(last) + "}\n";
  }
  static std::string message(int sequence) {
    return R"({"type":"message","sequence":)" + std::to_string(sequence) +
           R"(,"direction":"agent_to_relay","messageType":"notification","method":"session/update",)" +
           R"("jsonrpcId":null,"timestamp":"2026-01-31T08:15:31.000Z","message":{"jsonrpc":"2.0",)" +
           R"("method":"session/update","params":{"sessionId":")" + kId + R"(","n":)" +
           std::to_string(sequence) + "}}}\n";
  }
  http::Response upload(ManagementApi& api, std::string file, const std::string& query = {},
                        http::Headers headers = {}) {
    RecordedExchange exchange = asked("POST", "/api/sessions/import" + query, std::move(headers));
    exchange.request().body = std::move(file);
    run(api.handle(exchange));
    EXPECT_EQ(exchange.answers, 1);
    return exchange.answer;
  }
  http::Response upload(std::string file, const std::string& query = {}) {
    ManagementApi api(context());
    return upload(api, std::move(file), query);
  }
  std::string exported(const std::string& id) {
    return ask("GET", "/api/sessions/" + id + "/export").body;
  }
};

TEST_F(SessionImportTest, MakesAClosedSessionOfTheFile) {
  const http::Response answer = upload(head(2) + message(1) + message(2));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, std::string(R"({"id":")") + kId +
                             R"(","outcome":"imported","messages":2,"lastSequence":2})");
  const http::Response shown = ask("GET", std::string("/api/sessions/") + kId);
  EXPECT_THAT(shown.body, HasSubstr(R"("isActive":false)"));
  EXPECT_THAT(shown.body, HasSubstr(R"("closedAt":"2026-01-31T09:00:00.000Z")"));
  EXPECT_THAT(shown.body, HasSubstr(R"("createdAt":"2026-01-31T08:15:30.123Z")"));
  EXPECT_THAT(shown.body, HasSubstr(R"("cause":"imported: idle_timeout")"));
  EXPECT_THAT(shown.body, HasSubstr(R"("lastSequence":2,"owner":"ada")"));
}

TEST_F(SessionImportTest, WaitsForNothingThatOthersWriteMeanwhile) {
  storage::SessionRecord busy;
  busy.id = SessionId("sess_busy");
  log_->session_created(busy);
  bool done = false, ended = false;
  const auto write = [this, &done]() -> Task<void> {
    storage::MessageRecord record;
    record.body = SharedBytes("{}");
    while (!done) {
      ++record.sequence;
      log_->record(SessionId("sess_busy"), record);
      co_await asio::post(asio::use_awaitable);
    }
  };
  asio::co_spawn(loop_, write, [&ended](std::exception_ptr) { ended = true; });
  EXPECT_EQ(upload(head(1) + message(1)).status, 200);
  done = true;
  loop_.restart();
  while (!ended) loop_.run_one();
}

TEST_F(SessionImportTest, ExportsAgainWhatCameIn) {
  ASSERT_EQ(upload(head(3) + message(1) + message(2) + message(3)).status, 200);
  const std::string first = exported(kId);
  ASSERT_EQ(ask("DELETE", std::string("/api/sessions/") + kId).status, 200);
  ASSERT_EQ(upload(first).status, 200);
  EXPECT_EQ(exported(kId), first) << "imported twice, and still one \"imported: \"";
}

TEST_F(SessionImportTest, KeepsNumbersThatAreLeftOutAsGaps) {
  ASSERT_EQ(upload(head(9) + message(3) + "{\"type\":\"gap\",\"from\":4,\"to\":6}\n" + message(7) +
                   "{\"type\":\"gap\",\"from\":8,\"to\":9}\n")
                .status,
            200);
  const std::string lines = exported(kId);
  EXPECT_THAT(lines, HasSubstr(R"({"type":"gap","from":1,"to":2})"));
  EXPECT_THAT(lines, HasSubstr(R"({"type":"gap","from":4,"to":6})"));
  EXPECT_THAT(lines, HasSubstr(R"({"type":"gap","from":8,"to":9})"));
  EXPECT_THAT(lines, HasSubstr(R"("lastSequence":9)"));
  const auto page = run(log_->history(SessionId(kId), 0, 100, 1u << 20));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->gaps.size(), 3u);
  EXPECT_EQ(page->gaps[1].from, 4);
  EXPECT_EQ(page->gaps[1].to, 6);
}

TEST_F(SessionImportTest, RefusesAnIdThatIsThere) {
  const std::string file = head(1) + message(1);
  ASSERT_EQ(upload(file).status, 200);
  const http::Response again = upload(file);
  EXPECT_EQ(again.status, 409);
  EXPECT_THAT(again.body, HasSubstr("--new-id"));
  const std::string live = new_session();
  std::string same = file;
  same.replace(same.find(kId), live.size(), live);
  EXPECT_EQ(upload(same).status, 409);
}

TEST_F(SessionImportTest, GivesAnIdOfItsOwnAlsoInsideMessages) {
  ManagementApi api(context());
  const std::string file = head(1) + message(1);
  ASSERT_EQ(upload(api, file).status, 200);
  const http::Response again = upload(api, file, "?newId=true");
  ASSERT_EQ(again.status, 200);
  const std::string id = again.body.substr(7, 37);
  EXPECT_THAT(id, StartsWith("sess_"));
  EXPECT_NE(id, kId);
  EXPECT_THAT(exported(id), HasSubstr(R"("params":{"sessionId":")" + id));
  EXPECT_THAT(exported(id), Not(HasSubstr(kId)));
  EXPECT_EQ(upload(api, file, "?newId=perhaps").status, 400);
}

TEST_F(SessionImportTest, LeavesNothingOfABadFile) {
  const std::vector<std::string> files = {
      "",
      "nonsense",
      head(2) + message(1),
      head(2) + message(1) + message(2).substr(0, 50),
      head(2) + message(2) + message(1),
  };
  for (const std::string& file : files) {
    const http::Response answer = upload(file);
    EXPECT_EQ(answer.status, 400) << file;
    EXPECT_THAT(answer.body, HasSubstr(R"("error_type":"invalid_params")")) << file;
    EXPECT_EQ(ask("GET", "/api/sessions").body, "[]") << file;
  }
}

TEST_F(SessionImportTest, ReplacesWhatAnImportThatWasCutLeft) {
  storage::SessionRecord record;
  record.id = SessionId(kId);
  record.isolation = "process";
  record.closed_at = wall_now();
  record.cause = kUnfinishedImport;
  record.last_sequence = 7;
  log_->session_created(record);
  ASSERT_EQ(upload(head(1) + message(1)).status, 200);
  EXPECT_THAT(exported(kId), HasSubstr(R"("lastSequence":1,)"));
}

// A relay that is killed leaves the journal up to any of its entries; retention may come between
// any two.
TEST_F(SessionImportTest, NothingThatItWritesIsAnOpenSessionOrOneThatMayGo) {
  std::string directory = (std::filesystem::temp_directory_path() / "relay-import-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  storage::LogOptions options;
  options.path = directory + "/log.db";
  auto log = storage::MessageLog::open(loop_.get_executor(), options, Logger::silent());
  ASSERT_TRUE(log) << log.error().explanation;
  const auto imported =
      run(import_session(**log, head(1) + message(1), {}, [](const SessionId&) { return true; }));
  ASSERT_TRUE(imported) << imported.error().explanation;
  std::ifstream file(options.path + ".journal.1", std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  std::string_view entries = std::string_view(content).substr(content.find('\n') + 1);
  std::vector<std::string> causes;
  std::vector<WallTime> ends;
  while (const auto entry = storage::next_entry(entries)) {
    for (const storage::Write& write : entry->writes) {
      const auto* made = std::get_if<std::unique_ptr<storage::SessionCreate>>(&write);
      if (made == nullptr) continue;
      causes.push_back((*made)->record.cause);
      ASSERT_TRUE((*made)->record.closed_at) << causes.back();
      ends.push_back(*(*made)->record.closed_at);
    }
  }
  EXPECT_THAT(causes, testing::ElementsAre(kUnfinishedImport, "imported: idle_timeout"));
  ASSERT_EQ(ends.size(), 2u);
  const storage::RetentionLimits limits{1, 0, 1};
  const storage::LogSize too_large{0, 2};
  EXPECT_FALSE(may_be_forgotten(limits, too_large, ends[0], wall_now())) << "without messages yet";
  EXPECT_TRUE(may_be_forgotten(limits, too_large, ends[1], wall_now())) << "it ended long ago";
  log->reset();
  std::filesystem::remove_all(directory);
}

TEST_F(SessionImportTest, ManyMessagesGoThroughASmallQueue) {
  std::string file = head(30'000);
  for (int i = 1; i <= 30'000; ++i) file += message(i);
  const http::Response answer = upload(std::move(file));
  EXPECT_THAT(answer.body, HasSubstr(R"("messages":30000)"));
  const auto record = run(log_->find(SessionId(kId)));
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->last_sequence, 30'000);
  EXPECT_EQ((*record)->cause, "imported: idle_timeout");
}

TEST_F(SessionImportTest, BoundsALine) {
  ManagementContext with = context();
  with.max_message_bytes = 0;
  ManagementApi api(std::move(with));
  std::string line = message(1);
  line.insert(line.size() - 3, std::string(70'000, ' '));
  const http::Response answer = upload(api, head(1) + line);
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("server.max_message_bytes"));
}

TEST_F(SessionImportTest, ObserversImportNothing) {
  ManagementContext with = context();
  with.access->tokens = {{"eve", http::sha256_hex("e-token"), http::Role::kObserver}};
  ManagementApi api(std::move(with));
  const http::Headers eve{{"Authorization", "Bearer e-token"}};
  EXPECT_EQ(upload(api, head(1) + message(1), "", eve).status, 403);
}

TEST_F(SessionImportTest, NeedsALog) {
  const auto none = storage::make_null_log();
  ManagementContext with{*sessions_, *none, metrics_};
  ManagementApi api(std::move(with));
  const http::Response answer = upload(api, head(1) + message(1));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("database.enabled"));
}

}  // namespace
}  // namespace relay::management
