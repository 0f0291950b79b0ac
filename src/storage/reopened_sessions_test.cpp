#include "storage/log_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReopenedSession : public LogTest {
 protected:
  ReopenedSession() {
    log_->session_created(session_record("s", "ann"));
    for (int m = 1; m <= 3; ++m) log_->record(SessionId("s"), message_record(m));
    log_->session_closed(SessionId("s"), "idle", wall_now());
  }

  std::unique_ptr<SqliteLog> log_ = open();
};

TEST_F(ReopenedSession, GoesOnFromItsLastSequence) {
  SessionRecord session = *find(*log_, "s");
  EXPECT_EQ(session.last_sequence, 3);
  EXPECT_TRUE(session.closed_at);
  const WallTime created_at = session.created_at;
  session.agent_session_id = "agent-2";
  session.working_directory = "/other";
  session.isolation = "container";
  session.agent = "claude";
  log_->session_reopened(session);
  log_->record(SessionId("s"), message_record(4));

  const auto open = find(*log_, "s");
  ASSERT_TRUE(open);
  EXPECT_FALSE(open->closed_at);
  EXPECT_EQ(open->cause, "");
  EXPECT_EQ(open->agent_session_id, "agent-2");
  EXPECT_EQ(open->working_directory, "/other");
  EXPECT_EQ(open->isolation, "container");
  EXPECT_EQ(open->agent, "claude");
  EXPECT_EQ(open->owner, "ann");
  EXPECT_EQ(open->created_at, created_at);
  EXPECT_EQ(open->last_sequence, 4);
  EXPECT_THAT(sequences(history(*log_, "s")), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(history(*log_, "s").gaps, IsEmpty());
  SessionQuery active;
  active.only_active = true;
  EXPECT_THAT(ids(*wait_for(log_->list(active))), ElementsAre("s"));
  EXPECT_FALSE(wait_for(log_->erase(SessionId("s")))) << "it is open";
}

TEST_F(ReopenedSession, MayBeMadeAgainAsAClosedOne) {
  SessionRecord session = *find(*log_, "s");
  session.cause = "another cause";
  session.title = "Named";
  log_->session_created(session);
  log_->record(SessionId("s"), message_record(4));
  wait_for(log_->flush());
  log_->record(SessionId("s"), message_record(5));
  const auto closed = find(*log_, "s");
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->closed_at, session.closed_at);
  EXPECT_EQ(closed->cause, "another cause");
  EXPECT_EQ(closed->title, "Named");
  EXPECT_THAT(sequences(history(*log_, "s")), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(history(*log_, "s").gaps, IsEmpty());
}

TEST_F(ReopenedSession, MayBeClosedAndOpenedManyTimes) {
  for (Sequence sequence = 4; sequence <= 13; ++sequence) {
    log_->session_reopened(*find(*log_, "s"));
    log_->record(SessionId("s"), message_record(sequence));
    log_->session_closed(SessionId("s"), "round " + std::to_string(sequence), wall_now());
    // What comes late is still the session's.
    if (sequence == 13) log_->record(SessionId("s"), message_record(14));
  }
  EXPECT_EQ(find(*log_, "s")->cause, "round 13");
  EXPECT_EQ(find(*log_, "s")->last_sequence, 14);
  EXPECT_EQ(history(*log_, "s").messages.size(), 14u);
  EXPECT_EQ(log_->status().lost_messages, 0u);
  EXPECT_TRUE(wait_for(log_->erase(SessionId("s"))));
}

TEST_F(ReopenedSession, ThatWasErasedMeanwhileBeginsWithAGap) {
  const SessionRecord session = *find(*log_, "s");
  EXPECT_TRUE(wait_for(log_->erase(SessionId("s"))));
  log_->session_reopened(session);
  log_->record(SessionId("s"), message_record(4));
  const HistoryPage page = history(*log_, "s");
  EXPECT_THAT(sequences(page), ElementsAre(4));
  EXPECT_EQ(text(page.gaps), "[1,3]");
  EXPECT_EQ(find(*log_, "s")->last_sequence, 4);
}

TEST_F(ReopenedSession, CountsWhatIsGoneForGood) {
  LogOptions options;
  options.path = ":memory:";
  options.max_rows = 1;
  const auto log = open(options);
  log->session_created(session_record("s"));
  for (int m = 1; m <= 5; ++m) log->record(SessionId("s"), message_record(m));
  log->session_closed(SessionId("s"), "idle", wall_now());
  EXPECT_TRUE(eventually([&] { return history(*log, "s").messages.size() <= 1; }));
  EXPECT_EQ(find(*log, "s")->last_sequence, 5);
  log->session_reopened(*find(*log, "s"));
  log->record(SessionId("s"), message_record(6));
  const HistoryPage page = history(*log, "s");
  EXPECT_EQ(page.messages.back().sequence, 6);
  EXPECT_EQ(text(page.gaps), "[1,4]");
}

// With a database that cannot be written.
TEST_F(ReopenedSession, IsOpenBeforeThatIsWritten) {
  const TemporaryDirectory directory;
  const auto log = open(directory.file("log.db"));
  log->session_created(session_record("s"));
  log->record(SessionId("s"), message_record(1));
  log->session_closed(SessionId("s"), "idle", wall_now());
  wait_for(log->flush());
  EXPECT_TRUE(wait_for(log->set_page_limit(1)));
  SessionRecord large = session_record("large");
  large.agent_profile = std::string(1u << 20, 'x');
  log->session_created(large);
  EXPECT_TRUE(eventually([&] { return find(*log, "s") && !log->status().writable; }));

  SessionRecord session = *find(*log, "s");
  session.working_directory = "/other";
  session.agent = "claude";
  log->session_reopened(session);
  log->record(SessionId("s"), message_record(2));
  SessionQuery query;
  query.working_directory = "/other";
  query.agent = "claude";
  query.only_active = true;
  const auto check = [&](const std::string& when) {
    EXPECT_FALSE(find(*log, "s")->closed_at) << when;
    EXPECT_EQ(find(*log, "s")->last_sequence, 2) << when;
    EXPECT_THAT(sequences(history(*log, "s")), ElementsAre(1, 2)) << when;
    EXPECT_THAT(ids(*wait_for(log->list(query))), ElementsAre("s")) << when;
  };
  check("held");
  log->session_closed(SessionId("s"), "again", wall_now());
  EXPECT_EQ(find(*log, "s")->cause, "again");
  log->session_reopened(session);
  log->record(SessionId("s"), message_record(3));
  EXPECT_THAT(sequences(history(*log, "s")), ElementsAre(1, 2, 3));
  EXPECT_TRUE(wait_for(log->set_page_limit(1'000'000)));
  wait_for(log->flush());
  EXPECT_THAT(sequences(history(*log, "s")), ElementsAre(1, 2, 3));
  EXPECT_THAT(ids(*wait_for(log->list(query))), ElementsAre("s"));
  EXPECT_EQ(log->status().lost_messages, 0u);
}

}  // namespace
}  // namespace relay::storage
