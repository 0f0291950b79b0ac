#include "storage/retention.hpp"

#include "storage/log_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;

TEST(RowsToDelete, FollowsEachLimitAtItsEdge) {
  const WallTime now = WallTime(std::chrono::days(1000));
  const RunAge young{10, now};
  const RunAge old{10, now - std::chrono::days(7) - std::chrono::milliseconds(1)};
  const RunAge just{10, now - std::chrono::days(7)};
  struct Case {
    RetentionLimits limits;
    LogSize log;
    RunAge run;
    std::int64_t expected;
  };
  for (const Case& one : {
           Case{{0, 0, 0}, {1 << 30, 1 << 30}, old, 0},
           Case{{7, 0, 0}, {10, 10}, old, 10},
           Case{{7, 0, 0}, {10, 10}, just, 0},
           Case{{0, 100, 0}, {100, 0}, young, 0},
           Case{{0, 100, 0}, {101, 0}, young, 1},
           Case{{0, 100, 0}, {500, 0}, young, 10},
           Case{{0, 0, 100}, {0, 100}, young, 0},
           Case{{0, 0, 100}, {0, 101}, young, 10},
       }) {
    EXPECT_EQ(rows_to_delete(one.limits, one.log, one.run, now), one.expected);
  }
}

TEST(MayBeForgotten, FollowsEachLimitAtItsEdge) {
  const WallTime now = WallTime(std::chrono::days(1000));
  const auto ago = [now](auto time) { return now - time - std::chrono::milliseconds(1); };
  const std::chrono::minutes grace(1);
  const std::chrono::days day(1);
  struct Case {
    RetentionLimits limits;
    std::int64_t bytes;
    WallTime closed_at;
    bool expected;
  };
  for (const Case& one : {
           Case{{0, 0, 0}, 1 << 30, ago(100 * day), false},
           Case{{7, 0, 0}, 0, now - 7 * day, false},
           Case{{7, 0, 0}, 0, ago(7 * day), true},
           Case{{7, 0, 100}, 101, now - grace + std::chrono::milliseconds(1), false},
           Case{{7, 0, 100}, 101, ago(grace), true},
           Case{{7, 0, 100}, 100, ago(grace), false},
           Case{{0, 0, 100}, 100, now - day, false},
           Case{{0, 0, 100}, 100, ago(day), true},
           Case{{0, 100, 0}, 0, ago(day), true},
       }) {
    EXPECT_EQ(may_be_forgotten(one.limits, {0, one.bytes}, one.closed_at, now), one.expected);
  }
}

// Many that were opened and closed without a message do not take the room of those that have some.
TEST_F(LogTest, ForgetsClosedSessionsWithoutMessagesFirst) {
  const TemporaryDirectory directory;
  LogOptions options;
  options.path = directory.file("log.db");
  options.max_bytes = 600'000;
  options.has_more = [](std::string_view, std::string_view cause) { return cause == "crashed"; };
  auto log = open(options);
  const WallTime before = wall_now() - std::chrono::minutes(2);
  const auto open_and_close = [&](const std::string& id, const std::string& cause) {
    SessionRecord session = session_record(id);
    session.working_directory = std::string(300, 'w');
    log->session_created(session);
    log->gap(SessionId(id), {1, 3});
    log->session_closed(SessionId(id), cause, before);
  };
  open_and_close("crashed", "crashed");
  log->session_created(session_record("open"));
  log->session_created(session_record("talk"));
  for (int m = 1; m <= 10; ++m) log->record(SessionId("talk"), message_record(m));
  log->session_closed(SessionId("talk"), "closed", before);
  for (int round = 0; round < 10; ++round) {
    for (int one = 0; one < 1'000; ++one) {
      open_and_close("empty" + std::to_string(round * 1'000 + one), "idle");
    }
    if (round == 0) continue;  // there is room for about a thousand
    const std::string oldest = "empty" + std::to_string((round - 1) * 1'000);
    ASSERT_TRUE(eventually([&] { return !find(*log, oldest); })) << round;
  }
  log->session_created(session_record("young"));
  log->session_closed(SessionId("young"), "idle", wall_now());
  EXPECT_EQ(history(*log, "talk").messages.size(), 10u);
  EXPECT_TRUE(find(*log, "open"));
  EXPECT_TRUE(find(*log, "crashed"));
  EXPECT_TRUE(find(*log, "young"));
  EXPECT_GE(log->status().forgotten_sessions, 9U);
  EXPECT_EQ(log->status().deleted_messages, 0U);
  log.reset();
  EXPECT_LT(std::filesystem::file_size(options.path), 2'000'000u) << "of more than 4 MB";
  log = open(options);
  EXPECT_EQ(history(*log, "talk").messages.size(), 10u);
}

TEST_F(LogTest, KeepsAtMostSoManyRowsOfClosedSessions) {
  const TemporaryDirectory directory;
  LogOptions options;
  options.path = directory.file("log.db");
  options.max_rows = 10;
  auto log = open(options);
  for (const std::string id : {"open", "closed"}) {
    log->session_created(session_record(id));
    for (int m = 1; m <= 8; ++m) log->record(SessionId(id), message_record(m));
  }
  log->session_closed(SessionId("closed"), "idle", wall_now());
  ASSERT_TRUE(eventually([&] { return history(*log, "closed").messages.size() == 2; }));
  const HistoryPage page = history(*log, "closed");
  EXPECT_THAT(sequences(page), ElementsAre(7, 8));
  EXPECT_EQ(text(page.gaps), "[1,6]");
  EXPECT_EQ(text(history(*log, "closed", 3).gaps), "[4,6]");
  EXPECT_EQ(history(*log, "open").messages.size(), 8u);
  EXPECT_EQ(find(*log, "closed")->last_sequence, 8);
  log.reset();
  log = open(options);
  EXPECT_THAT(sequences(history(*log, "closed")), ElementsAre(7, 8));
}

// With new limits the thread does not wait for its next look.
TEST_F(LogTest, KeepsToOtherLimitsFromWhenItIsToldOfThem) {
  const auto log = open();
  log->session_created(session_record("s"));
  for (int m = 1; m <= 8; ++m) log->record(SessionId("s"), message_record(m));
  log->session_closed(SessionId("s"), "idle", wall_now());
  for (int row = 0; row < 5; ++row) {
    log->audit({0, wall_now(), SessionId("s"), "closed", "", {"ada", "", ""}});
  }
  const auto rows = [&] { return wait_for(log->audit_trail(AuditQuery{}))->rows.size(); };
  EXPECT_EQ(rows(), 5u);
  log->change_limits({{0, 2, 0}, {0, 3}});
  EXPECT_TRUE(eventually([&] { return history(*log, "s").messages.size() == 2; }));
  EXPECT_TRUE(eventually([&] { return rows() == 3; }));
  log->change_limits({});
  log->session_created(session_record("t"));
  for (int m = 1; m <= 8; ++m) log->record(SessionId("t"), message_record(m));
  log->session_closed(SessionId("t"), "idle", wall_now());
  wait_for(log->flush());
  EXPECT_EQ(history(*log, "t").messages.size(), 8u);
  log->change_limits({{0, 1, 0}, {}});
  EXPECT_TRUE(eventually([&] { return history(*log, "t").messages.size() == 1; }));
  EXPECT_EQ(rows(), 3u);
}

TEST_F(LogTest, DeletesMessagesThatAreTooOldAndTooMany) {
  LogOptions options;
  options.path = ":memory:";
  options.retention_days = 2;
  options.max_bytes = 400'000;
  const auto log = open(options);
  log->session_created(session_record("old"));
  MessageRecord message = message_record(1);
  message.time -= std::chrono::days(3);
  log->record(SessionId("old"), message);
  wait_for(log->flush());
  log->record(SessionId("old"), message_record(2));
  log->session_closed(SessionId("old"), "idle", wall_now());
  ASSERT_TRUE(eventually([&] { return sequences(history(*log, "old")).size() == 1; }));
  EXPECT_EQ(text(history(*log, "old").gaps), "[1,1]");

  log->session_created(session_record("large"));
  for (int m = 1; m <= 100; ++m) {
    log->record(SessionId("large"), message_record(m, std::string(10'000, 'x')));
    wait_for(log->flush());
  }
  log->session_closed(SessionId("large"), "idle", wall_now());
  ASSERT_TRUE(eventually([&] { return history(*log, "large").messages.size() < 50; }));
  const HistoryPage page = history(*log, "large");
  EXPECT_EQ(page.messages.back().sequence, 100);
  EXPECT_EQ(text(page.gaps), "[1," + std::to_string(page.messages.front().sequence - 1) + "]");
}

}  // namespace
}  // namespace relay::storage
