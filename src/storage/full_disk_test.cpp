#include "storage/log_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FullDisk : public LogTest {
 protected:
  static constexpr std::int64_t kRoom = 1'000'000;

  std::unique_ptr<SqliteLog> open_full(std::size_t max_pending_bytes) {
    LogOptions options;
    options.path = directory_.file("log.db");
    options.max_pending_bytes = max_pending_bytes;
    auto log = open(options);
    log->session_created(session_record("s"));
    log->record(SessionId("s"), message_record(1, "before"));
    wait_for(log->flush());
    EXPECT_TRUE(wait_for(log->set_page_limit(1)));  // SQLite takes what is in use as the limit
    return log;
  }
  // Records until SQLite finds no page for it.
  Sequence fill(SqliteLog& log, Sequence next) {
    EXPECT_TRUE(eventually([&] {
      log.record(SessionId("s"), message_record(next++, std::string(10'000, 'x')));
      history(log, "s", next - 2, 1);
      return !log.status().writable;
    }));
    return next;
  }

  TemporaryDirectory directory_;
};

// Else what is held would make the session again.
TEST_F(FullDisk, RefusesToDeleteASessionUntilItIsWritten) {
  const auto log = open_full(1u << 20);
  fill(*log, 2);
  log->session_closed(SessionId("s"), "closed", wall_now());
  const auto refused = wait_for(log->erase(SessionId("s")));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().explanation, testing::HasSubstr("the message log cannot be written"));
  EXPECT_THAT(refused.error().suggested_actions,
              ElementsAre(testing::HasSubstr("make room on the disk of database.path")));
  EXPECT_TRUE(find(*log, "s"));
  EXPECT_TRUE(wait_for(log->set_page_limit(kRoom)));
  EXPECT_TRUE(eventually([&] { return log->status().writable; }));
  EXPECT_TRUE(wait_for(log->erase(SessionId("s"))));
  wait_for(log->flush());
  EXPECT_FALSE(find(*log, "s"));
}

TEST_F(FullDisk, LetsReadersSeeWhatIsHeldInMemory) {
  const auto log = open_full(1u << 20);
  Sequence next = fill(*log, 2);
  SessionRecord later = session_record("later");
  later.agent_profile = "held profile";
  log->session_created(later);
  log->record(SessionId("later"), message_record(1, "held"));
  SessionRecord changed = session_record("s");
  changed.title = "held title";
  changed.agent_settings = "held settings";
  log->session_changed(changed);
  log->session_used(SessionId("s"), "held use");
  log->session_closed(SessionId("s"), "held close", wall_now());

  const HistoryPage page = history(*log, "s");
  EXPECT_EQ(page.messages.size(), static_cast<std::size_t>(next - 1));
  EXPECT_EQ(page.messages.back().sequence, next - 1);
  EXPECT_EQ(history(*log, "s", 0, static_cast<std::size_t>(next - 2)).complete, false);
  EXPECT_EQ(history(*log, "later").messages.at(0).body.view(), "held");
  EXPECT_EQ(find(*log, "s")->title, "held title");
  EXPECT_EQ(find(*log, "s")->cause, "held close");
  EXPECT_EQ(find(*log, "s")->upstream_use, "held use");
  EXPECT_EQ(find(*log, "later")->last_sequence, 1);
  EXPECT_EQ(find(*log, "later")->agent_profile, "held profile");
  EXPECT_EQ(find(*log, "s")->agent_settings, "held settings");
  const auto all = wait_for(log->list({}));
  EXPECT_THAT(ids(*all), ElementsAre("later", "s"));
  for (const SessionRecord& listed : all->sessions) {
    EXPECT_EQ(listed.agent_profile + listed.agent_settings, "") << listed.id.value();
  }
  SessionQuery active;
  active.only_active = true;
  EXPECT_THAT(ids(*wait_for(log->list(active))), ElementsAre("later"));
  EXPECT_FALSE(log->status().last_error.empty());
  EXPECT_GT(log->status().pending_bytes, 0u);
  EXPECT_EQ(log->status().lost_messages, 0u);
}

TEST_F(FullDisk, WritesWhatWasHeldWhenThereIsRoomAgain) {
  auto log = open_full(1u << 20);
  const Sequence next = fill(*log, 2);
  log->record(SessionId("s"), message_record(next, "last"));
  EXPECT_TRUE(wait_for(log->set_page_limit(kRoom)));
  wait_for(log->flush());
  EXPECT_TRUE(log->status().writable);
  EXPECT_EQ(log->status().pending_bytes, 0u);
  log.reset();
  log = open(directory_.file("log.db"));
  const HistoryPage page = history(*log, "s");
  EXPECT_EQ(page.messages.size(), static_cast<std::size_t>(next));
  EXPECT_THAT(page.gaps, IsEmpty());
}

TEST_F(FullDisk, GivesUpTheOldestBeyondTheBoundAndTellsTheGap) {
  constexpr std::size_t kBound = 2'000'000;
  auto log = open_full(kBound);
  const Sequence first_held = fill(*log, 2) - 1;
  Sequence next = first_held + 1;
  for (int count = 0; count < 2'000; ++count) {  // more than the journal takes
    log->record(SessionId("s"), message_record(next++, std::string(10'000, 'x')));
    EXPECT_LE(log->status().pending_bytes, kBound + 11'000);
  }
  const HistoryPage held = history(*log, "s");
  const auto lost = static_cast<Sequence>(log->status().lost_messages);
  EXPECT_GT(lost, 0);
  EXPECT_LE(log->status().pending_bytes, kBound);
  EXPECT_GT(log->status().pending_bytes, kBound / 2);
  EXPECT_EQ(static_cast<Sequence>(held.messages.size()) + lost, next - 1);

  EXPECT_TRUE(wait_for(log->set_page_limit(kRoom)));
  wait_for(log->flush());
  log.reset();
  log = open(directory_.file("log.db"));
  const HistoryPage page = history(*log, "s");
  EXPECT_EQ(sequences(page), sequences(held));
  EXPECT_EQ(text(page.gaps), text(held.gaps));
  Sequence covered = static_cast<Sequence>(page.messages.size());
  for (const Gap& gap : page.gaps) covered += gap.to - gap.from + 1;
  EXPECT_EQ(covered, next - 1) << "every sequence number is a message or in a gap";
  EXPECT_EQ(find(*log, "s")->last_sequence, next - 1);
}

// Nothing leads to them any more: they would outlive the erasure of their session.
TEST_F(FullDisk, TakesWhatWasGivenUpOutOfTheJournal) {
  const auto log = open_full(100'000);
  Sequence next = fill(*log, 2);
  // The journal takes them all; what is known of them is more than the bound.
  constexpr Sequence kMessages = 2'000;
  for (Sequence count = 0; count < kMessages; ++count) {
    log->record(SessionId("s"), message_record(next++, "number " + std::string(1'000, 'x')));
  }
  EXPECT_GT(log->status().lost_messages, 0u);
  EXPECT_TRUE(wait_for(log->set_page_limit(kRoom)));
  wait_for(log->flush());
  const HistoryPage page = history(*log, "s");
  const auto left = std::ranges::count_if(page.messages, [](const MessageRecord& message) {
    return message.body.view().starts_with("number ");
  });
  EXPECT_GT(left, 0);
  EXPECT_LT(left, kMessages);
  const auto on_disk = [this] {
    std::ptrdiff_t count = 0;
    for (const std::string& path : journal_files(directory_.file("log.db"))) {
      const std::string content = content_of(path);
      for (std::size_t at = 0; (at = content.find("number ", at)) != std::string::npos; ++at) {
        ++count;
      }
    }
    return count;
  };
  EXPECT_TRUE(eventually([&] {
    find(*log, "s");
    return on_disk() == left;
  })) << on_disk();
  EXPECT_EQ(sequences(history(*log, "s")), sequences(page));
}

}  // namespace
}  // namespace relay::storage
