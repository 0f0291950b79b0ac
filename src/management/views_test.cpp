#include "management/views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace relay::management {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const WallTime kNoon{std::chrono::milliseconds(1'769'860'800'123)};

storage::SessionRecord record() {
  storage::SessionRecord session;
  session.id = SessionId("sess_1");
  session.owner = "ada";
  session.created_at = kNoon;
  session.last_sequence = 4;
  return session;
}

storage::MessageRecord stored_message(storage::Sequence sequence) {
  storage::MessageRecord out;
  out.sequence = sequence;
  out.origin = storage::Origin::kRelay;
  out.to_client = true;
  out.method = "session/update";
  out.body =
      SharedBytes(R"({"jsonrpc":"2.0","method":"m","params":)" + std::to_string(sequence) + "}");
  out.time = kNoon;
  return out;
}

ReadinessFacts quiet() {
  ReadinessFacts facts;
  facts.sessions = 1;
  facts.session_limit = 10;
  facts.open_descriptors = 20;
  facts.descriptor_limit = 1024;
  return facts;
}

TEST(NotReadyBecause, NamesEveryReasonOnce) {
  EXPECT_THAT(not_ready_because(quiet()), IsEmpty());

  ReadinessFacts full = quiet();
  full.sessions = 10;
  EXPECT_THAT(not_ready_because(full), ElementsAre("session_limit_reached"));

  ReadinessFacts unwritable = quiet();
  unwritable.log_writable = false;
  EXPECT_THAT(not_ready_because(unwritable), ElementsAre("log_unwritable"));

  ReadinessFacts everything = full;
  everything.log_writable = false;
  everything.descriptor_limit = 30;
  everything.others = {"shutting_down", "log_unwritable"};
  EXPECT_THAT(not_ready_because(everything), ElementsAre("session_limit_reached", "log_unwritable",
                                                         "descriptors_low", "shutting_down"));
}

TEST(NotReadyBecause, KnowsWhenItIsTooMuchOrTooLittle) {
  struct Case {
    const char* reason;
    std::function<void(ReadinessFacts&)> at_edge;  // just so
    std::function<void(ReadinessFacts&)> beyond;
  };
  const Case cases[] = {
      {"log_backlog", [](auto& facts) { facts.log_held_back_for = std::chrono::seconds(30); },
       [](auto& facts) { facts.log_held_back_for = std::chrono::milliseconds(30'001); }},
      {"wal_too_large", [](auto& facts) { facts.wal_bytes = 200; },
       [](auto& facts) { facts.wal_bytes = 201; }},
      {"disk_low", [](auto& facts) { facts.disk_free_bytes = 300; },
       [](auto& facts) { facts.disk_free_bytes = 299; }},
      {"session_starts_failing",
       [](auto& facts) {
         facts.starts = {4, 2};
       },
       [](auto& facts) {
         facts.starts = {4, 3};
       }},
      {"session_starts_failing",
       [](auto& facts) {
         facts.starts = {2, 2};
       },
       [](auto& facts) {
         facts.starts = {3, 3};
       }},
      {"turns_failing",
       [](auto& facts) {
         facts.turns = {10, 5};
       },
       [](auto& facts) {
         facts.turns = {10, 6};
       }},
  };
  for (const Case& row : cases) {
    ReadinessFacts facts = quiet();
    facts.limits = {300, 200};
    row.at_edge(facts);
    EXPECT_THAT(not_ready_because(facts), IsEmpty()) << row.reason;
    row.beyond(facts);
    EXPECT_THAT(not_ready_because(facts), ElementsAre(row.reason));
    EXPECT_NE(remedy(row.reason), "");
    facts.log_held_back_for = {};
    facts.limits = {0, 0};
    facts.starts = facts.turns = {};
    EXPECT_THAT(not_ready_because(facts), IsEmpty()) << "0 is no limit, " << row.reason;
  }
}

TEST(NotReadyBecause, CountsTheDescriptorsThatAreLeft) {
  struct Case {
    std::int64_t open;
    std::int64_t limit;
    bool low;
  };
  const Case cases[] = {{0, 64, false},    {1, 64, true},   {960, 1024, false},
                        {961, 1024, true}, {-1, 64, false}, {5000, -1, false}};
  for (const Case& row : cases) {
    ReadinessFacts facts = quiet();
    facts.open_descriptors = row.open;
    facts.descriptor_limit = row.limit;
    EXPECT_EQ(!not_ready_because(facts).empty(), row.low) << row.open << " of " << row.limit;
  }
}

TEST(EachReason, IsOneOfAClosedSetAndHasARemedy) {
  const auto none = each_reason({});
  EXPECT_EQ(none.size(), 16u);
  for (const auto& [reason, holds] : none) {
    EXPECT_FALSE(holds) << reason;
    EXPECT_EQ(remedy(reason).empty(), reason == "other") << reason;
  }
  const auto two = each_reason({"canary_failed", "unheard_of"});
  EXPECT_EQ(two.size(), none.size());
  for (const auto& [reason, holds] : two) {
    EXPECT_EQ(holds, reason == "canary_failed" || reason == "other") << reason;
  }
}

TEST(ReadinessView, SaysWhatToDo) {
  ReadinessFacts facts = quiet();
  facts.sessions = 10;
  facts.others = {"unheard_of"};
  storage::LogStatus log;
  log.last_error = "disk \"full\"";
  EXPECT_EQ(readiness_view(facts, log),
            R"({"ready":false,"reasons":["session_limit_reached","unheard_of"],)"
            R"("remedies":{"session_limit_reached":)"
            R"("close a session, or raise agent.max_concurrent_sessions"},)"
            R"("sessions":10,"sessionLimit":10,"log":{"writable":true,)"
            R"("lastError":"disk \"full\"","pendingBytes":0,"lostMessages":0}})");
  EXPECT_THAT(readiness_view(quiet(), {}), HasSubstr(R"("ready":true,"reasons":[],"remedies":{})"));
}

TEST(HealthView, HasEveryFact) {
  HealthFacts facts{"0.1.0", std::chrono::seconds(90), "process", "npx agent", 2};
  EXPECT_EQ(health_view(facts),
            R"({"status":"ok","version":"0.1.0","uptime_seconds":90,)"
            R"("isolation":"process","agent_command":"npx agent","sessions":2})");
}

TEST(SessionView, AddsWhatIsKnownOfALiveSession) {
  const std::string closed = session_view(record(), std::nullopt);
  EXPECT_THAT(closed, HasSubstr(R"("isActive":false)"));
  EXPECT_THAT(closed, HasSubstr(R"("lastSequence":4,"owner":"ada"})"));

  LiveFacts live{"ready", 2, true, "pid 7"};
  const std::string shown = session_view(record(), live);
  EXPECT_THAT(shown, HasSubstr(R"("isActive":true)"));
  EXPECT_THAT(shown, HasSubstr(R"("owner":"ada","state":"ready","clients":2,)"
                               R"("turnRunning":true,"runsAs":"pid 7"})"));
}

TEST(SessionView, HasWhatTheSessionUsedOfUpstreams) {
  EXPECT_EQ(with_use(R"({"id":"s"})", ""), R"({"id":"s","upstreamUse":null})");
  EXPECT_EQ(with_use(R"({"id":"s"})", R"({"own":{}})"), R"({"id":"s","upstreamUse":{"own":{}}})");
}

TEST(ListView, NamesTheNextPageWhenThereIsOne) {
  EXPECT_EQ(array_view({"{}", "{}"}), "[{},{}]");
  EXPECT_EQ(page_view({}, std::nullopt), R"({"sessions":[]})");
  EXPECT_EQ(page_view({"{}", "{}"}, "c"), R"({"sessions":[{},{}],"nextCursor":"c"})");
}

TEST(Export, BeginsWithTheSession) {
  const std::string line = export_head(record(), true);
  EXPECT_THAT(
      line,
      HasSubstr(R"({"type":"session","format":"acp-relay-session","version":1,"id":"sess_1",)"));
  EXPECT_THAT(line, HasSubstr(R"("owner":"ada"})"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(Export, WritesAMessageWithItsJson) {
  storage::HistoryPage page;
  page.messages = {stored_message(3)};
  EXPECT_EQ(export_lines(page, 2, 3),
            R"({"type":"message","sequence":3,"origin":"relay","direction":"relay_to_client",)"
            R"("messageType":"notification","method":"session/update","jsonrpcId":null,)"
            R"("timestamp":"2026-01-31T12:00:00.123Z",)"
            R"("message":{"jsonrpc":"2.0","method":"m","params":3}})"
            "\n");
}

TEST(Export, WritesWhatIsNoJsonAsAText) {
  storage::HistoryPage page;
  page.messages = {stored_message(1)};
  page.messages[0].body = SharedBytes(R"({"id":***})");
  EXPECT_THAT(export_lines(page, 0, 1),
              HasSubstr(R"("message":null,"rawMessage":"{\"id\":***}"})"));
  page.messages[0].body = {};
  EXPECT_THAT(export_lines(page, 0, 1), HasSubstr(R"("message":null,"rawMessage":""})"));
}

std::vector<std::string> beginnings(std::string lines) {
  std::vector<std::string> order;
  while (!lines.empty()) {
    order.push_back(lines.substr(0, 40));
    lines.erase(0, lines.find('\n') + 1);
  }
  return order;
}

TEST(Export, EveryNumberIsAMessageOrInAGap) {
  storage::HistoryPage page;
  page.messages = {stored_message(3), stored_message(4), stored_message(9)};
  const auto order = beginnings(export_lines(page, 0, 12));
  ASSERT_EQ(order.size(), 6u);
  EXPECT_THAT(order[0], HasSubstr(R"("type":"gap","from":1,"to":2)"));
  EXPECT_THAT(order[1], HasSubstr(R"("sequence":3)"));
  EXPECT_THAT(order[2], HasSubstr(R"("sequence":4)"));
  EXPECT_THAT(order[3], HasSubstr(R"("from":5,"to":8)"));
  EXPECT_THAT(order[4], HasSubstr(R"("sequence":9)"));
  EXPECT_THAT(order[5], HasSubstr(R"("from":10,"to":12)"));
}

TEST(Export, GoesOnBehindTheLastPageUpToTheEnd) {
  storage::HistoryPage page;
  page.messages = {stored_message(6), stored_message(7)};
  page.complete = false;
  EXPECT_EQ(beginnings(export_lines(page, 3, 9)).size(), 3u) << "gap 4 to 5, and two messages";
  EXPECT_EQ(beginnings(export_lines(page, 5, 6)).size(), 1u) << "7 came when the export had begun";
}

TEST(Export, EndsWithAGapAlsoWhereTheLogGoesOnBehindIt) {
  storage::HistoryPage page;
  page.messages = {stored_message(1), stored_message(2), stored_message(7)};
  const auto order = beginnings(export_lines(page, 0, 4));
  ASSERT_EQ(order.size(), 3u);
  EXPECT_THAT(order[2], HasSubstr(R"("type":"gap","from":3,"to":4)"));
  page.messages.erase(page.messages.begin(), page.messages.begin() + 2);
  EXPECT_EQ(beginnings(export_lines(page, 2, 4)).size(), 1u);
}

TEST(Export, AnEmptyPageHasNoLines) {
  EXPECT_EQ(export_lines({}, 0, 0), "");
  EXPECT_EQ(export_lines({}, 4, 4), "");
}

}  // namespace
}  // namespace relay::management
