#include "management/session_file.hpp"

#include "base/wall_time.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace relay::management {
namespace {

using ::testing::HasSubstr;

constexpr const char* kHead =
    R"({"type":"session","format":"acp-relay-session","version":1,)"
    R"("id":"sess_00112233445566778899aabbccddeeff","agentSessionId":"inner","agent":null,)"
    R"("workingDirectory":"/srv","createdAt":"2026-01-31T08:15:30.123Z",)"
    R"("closedAt":"2026-01-31T09:00:00Z","isActive":false,"isolation":"process","title":"t",)"
    R"("cause":"operator","lastSequence":5,"owner":"ada"})";

std::string message(int sequence, const std::string& more = {}) {
  return R"({"type":"message","sequence":)" + std::to_string(sequence) +
         R"(,"direction":"agent_to_relay","messageType":"notification","method":"session/update",)"
         R"("jsonrpcId":null,"timestamp":"2026-01-31T08:15:31.000Z",)" +
         (more.empty() ? std::string(R"("message":{"jsonrpc":"2.0","n":1.50})") : more) + "}";
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error(from + " is not in " + text);
  return text.replace(at, from.size(), to);
}

// What is wrong with a file of these lines; empty: nothing.
std::string complaint(const std::vector<std::string>& lines, std::size_t limit = 1u << 20) {
  SessionFileReader reader(limit);
  for (const std::string& line : lines) {
    const auto entry = reader.take(line);
    if (!entry) {
      EXPECT_FALSE(entry.error().suggested_actions.empty()) << entry.error().explanation;
      return entry.error().explanation;
    }
  }
  const auto whole = reader.finish();
  return whole ? "" : whole.error().explanation;
}

TEST(SessionFileReader, ReadsTheHead) {
  SessionFileReader reader(1u << 20);
  const auto entry = reader.take(kHead);
  ASSERT_TRUE(entry && *entry);
  const auto& session = std::get<storage::SessionRecord>(**entry);
  EXPECT_EQ(session.id.value(), "sess_00112233445566778899aabbccddeeff");
  EXPECT_EQ(session.agent_session_id, "inner");
  EXPECT_EQ(session.agent, "");
  EXPECT_EQ(session.owner, "ada");
  EXPECT_EQ(session.working_directory, "/srv");
  EXPECT_EQ(session.isolation, "process");
  EXPECT_EQ(session.title, "t");
  EXPECT_EQ(session.cause, "operator");
  EXPECT_EQ(session.last_sequence, 5);
  EXPECT_EQ(to_rfc3339(session.created_at), "2026-01-31T08:15:30.123Z");
  ASSERT_TRUE(session.closed_at);
  EXPECT_EQ(to_rfc3339(*session.closed_at), "2026-01-31T09:00:00.000Z");
}

TEST(SessionFileReader, ReadsMessagesAsTheyAreSpelled) {
  SessionFileReader reader(1u << 20);
  ASSERT_TRUE(reader.take(kHead));
  const auto first = reader.take(changed(message(1), "\"jsonrpcId\":null", "\"jsonrpcId\":1e2"));
  ASSERT_TRUE(first && *first);
  const auto& read = std::get<storage::MessageRecord>(**first);
  EXPECT_EQ(read.sequence, 1);
  EXPECT_EQ(read.origin, storage::Origin::kAgent);
  EXPECT_TRUE(read.to_client);
  EXPECT_EQ(read.kind, storage::MessageKind::kNotification);
  EXPECT_EQ(read.method, "session/update");
  EXPECT_EQ(read.rpc_id, "1e2");
  EXPECT_EQ(read.body.view(), R"({"jsonrpc":"2.0","n":1.50})");
  EXPECT_EQ(to_rfc3339(read.time), "2026-01-31T08:15:31.000Z");

  const auto raw = reader.take(message(2, R"("message":null,"rawMessage":"no \"JSON")"));
  ASSERT_TRUE(raw && *raw);
  EXPECT_EQ(std::get<storage::MessageRecord>(**raw).body.view(), "no \"JSON");
}

TEST(SessionFileReader, ReadsMessagesAsDeepAsTheyMayBe) {
  const std::string deep = std::string(1090, '[') + std::string(1090, ']');
  EXPECT_EQ(complaint({changed(kHead, R"("lastSequence":5)", R"("lastSequence":1)"),
                       message(1, R"("message":{"jsonrpc":"2.0","n":)" + deep + "}")}),
            "");
}

TEST(SessionFileReader, ReadsEveryDirection) {
  struct Case {
    const char* direction;
    storage::Origin origin;
    bool to_client;
  };
  const Case cases[] = {{"client_to_relay", storage::Origin::kClient, false},
                        {"agent_to_relay", storage::Origin::kAgent, true},
                        {"relay_to_client", storage::Origin::kRelay, true},
                        {"relay_to_agent", storage::Origin::kRelay, false}};
  for (const Case& row : cases) {
    SessionFileReader reader(1u << 20);
    ASSERT_TRUE(reader.take(kHead));
    const auto entry = reader.take(changed(message(1), "agent_to_relay", row.direction));
    ASSERT_TRUE(entry && *entry) << row.direction;
    EXPECT_EQ(std::get<storage::MessageRecord>(**entry).origin, row.origin) << row.direction;
    EXPECT_EQ(std::get<storage::MessageRecord>(**entry).to_client, row.to_client) << row.direction;
  }
}

TEST(SessionFileReader, ReadsGapsAndTakesNumbersThatAreLeftOutForOne) {
  SessionFileReader reader(1u << 20);
  ASSERT_TRUE(reader.take(kHead));
  const auto gap = reader.take(R"({"type":"gap","from":1,"to":2})");
  ASSERT_TRUE(gap && *gap);
  EXPECT_EQ(std::get<storage::Gap>(**gap).to, 2);
  EXPECT_FALSE(reader.skipped());
  ASSERT_TRUE(reader.take(message(5)));
  ASSERT_TRUE(reader.skipped());
  EXPECT_EQ(reader.skipped()->from, 3);
  EXPECT_EQ(reader.skipped()->to, 4);
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(reader.messages(), 1);
}

TEST(SessionFileReader, SaysWhatIsWrongAndWhere) {
  const std::string head = kHead;
  const std::string gap = R"({"type":"gap","from":1,"to":5})";
  struct Case {
    std::vector<std::string> lines;
    const char* complaint;
  };
  const std::vector<Case> cases = {
      {{}, "is empty"},
      {{"", "  "}, "is empty"},
      {{"hello"}, "line 1 of the exported session: it is not valid JSON"},
      {{"[]"}, "line 1 of the exported session: it is not a JSON object"},
      {{message(1)}, "the first line must have \"type\":\"session\""},
      {{changed(head, "acp-relay-session", "other")}, "does not say \"format\""},
      {{changed(head, "\"version\":1", "\"version\":2")}, "this version of the format"},
      {{changed(head, "\"version\":1", "\"version\":\"1\"")}, "this version of the format"},
      {{changed(head, "sess_00", "sess_x0")}, "\"id\" must be"},
      {{changed(head, "inner", R"(a\"b)")}, "\"agentSessionId\" must be an id as it is spelled"},
      {{changed(head, "inner", R"(a\nb)")}, "\"agentSessionId\" must be an id as it is spelled"},
      {{changed(head, "\"/srv\"", "\"srv\"")}, "\"workingDirectory\" must be"},
      {{changed(head, "\"process\"", "\"vm\"")}, "\"isolation\" must be"},
      {{changed(head, "\"2026-01-31T08:15:30.123Z\"", "7")}, "\"createdAt\" must be a time"},
      {{changed(head, "2026-01-31T09", "2026-02-31T09")}, "\"closedAt\" must be a time"},
      {{changed(head, "\"lastSequence\":5", "\"lastSequence\":-1")}, "\"lastSequence\" must be"},
      {{changed(head, "\"lastSequence\":5", "\"lastSequence\":5.5")}, "\"lastSequence\" must be"},
      {{changed(head, "\"ada\"", "{}")}, "\"owner\" must be a string or null"},
      {{head}, "ends with number 0, but line 1 announces 5"},
      {{head, message(1)}, "ends with number 1, but line 1 announces 5"},
      {{head, message(1).substr(0, 40)}, "line 2 of the exported session: it is not valid JSON"},
      {{head, gap, head}, "line 3 of the exported session: a file holds one session"},
      {{head, message(2), "", message(2)}, "line 4 of the exported session: the number 2 does not"},
      {{head, message(2), message(1)}, "the number 1 does not come after 2"},
      {{head, message(3), gap}, "the number 1 does not come after 3"},
      {{head, message(6)}, "the number 6 is behind lastSequence of line 1, 5"},
      {{head, R"({"type":"gap","from":2,"to":1})"}, "\"to\" must be a whole number from 2"},
      {{head, R"({"type":"note"})"}, "\"type\" must be"},
      {{head, changed(message(1), "agent_to_relay", "relay_to_moon")}, "\"direction\" must be"},
      {{head, changed(message(1), "\"notification\"", "null")}, "\"messageType\" must be"},
      {{head, changed(message(1), "\"session/update\"", "null")}, "\"method\" must be"},
      {{head, changed(message(1), "\"jsonrpcId\":null", "\"jsonrpcId\":[]")}, "\"jsonrpcId\""},
      {{head, changed(message(1), "31.000Z", "31.000")}, "\"timestamp\" must be a time"},
      {{head, message(1, R"("message":[])")}, "\"message\" must be"},
      {{head, message(1, R"("message":null,"rawMessage":1)")}, "\"rawMessage\" must be"},
  };
  for (const Case& row : cases) {
    EXPECT_THAT(complaint(row.lines), HasSubstr(row.complaint));
  }
  EXPECT_EQ(complaint({head, gap}), "");
}

TEST(SessionFileReader, RefusesLinesOverTheLimit) {
  EXPECT_THAT(complaint({kHead, message(1, "\"x\":\"" + std::string(2000, 'x') + '"')}, 1000),
              HasSubstr("line 2 of the exported session: it is longer than 1000 bytes"));
}

TEST(TakeLine, CutsAtLineFeeds) {
  std::string_view text = "a\r\n\nb";
  EXPECT_EQ(take_line(text), "a");
  EXPECT_EQ(take_line(text), "");
  EXPECT_EQ(take_line(text), "b");
  EXPECT_TRUE(text.empty());
}

TEST(ReadRfc3339, ReadsWhatTheLogWrites) {
  struct Case {
    const char* text;
    const char* read;  // null: refused
  };
  const Case cases[] = {
      {"2026-01-31T08:15:30.123Z", "2026-01-31T08:15:30.123Z"},
      {"2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z"},
      {"2026-01-31T08:15:30.1Z", "2026-01-31T08:15:30.100Z"},
      {"2026-01-31T08:15:30.123456789Z", "2026-01-31T08:15:30.123Z"},
      {"2025-02-29T00:00:00Z", nullptr},
      {"2026-13-01T00:00:00Z", nullptr},
      {"2026-01-31T24:00:00Z", nullptr},
      {"2026-01-31T08:15:30.Z", nullptr},
      {"2026-01-31T08:15:30.1234567890Z", nullptr},
      {"2026-01-31T08:15:30.12xZ", nullptr},
      {"2026-01-31T08:15:30+01:00", nullptr},
      {"2026-01-31 08:15:30Z", nullptr},
      {"Z", nullptr},
      {"", nullptr},
  };
  for (const Case& row : cases) {
    const auto read = read_rfc3339(row.text);
    ASSERT_EQ(read.has_value(), row.read != nullptr) << row.text;
    if (!read) continue;
    EXPECT_EQ(to_rfc3339(*read), row.read) << row.text;
  }
}

}  // namespace
}  // namespace relay::management
