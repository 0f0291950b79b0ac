#include "storage/audit.hpp"

#include "storage/journal_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;

AuditRecord audit_record(const std::string& session, const std::string& action,
                         const std::string& principal = "ann") {
  AuditRecord record;
  record.time = wall_now();
  record.session = SessionId(session);
  record.action = action;
  record.actor = {principal, "relay_http", "127.0.0.1:4711"};
  return record;
}

class AuditTest : public JournalTest {
 protected:
  AuditPage trail(MessageLog& log, AuditQuery query = {}) {
    auto page = wait_for(log.audit_trail(std::move(query)));
    EXPECT_TRUE(page) << page.error().explanation;
    return page ? std::move(*page) : AuditPage{};
  }
  static std::vector<std::string> actions(const AuditPage& page) {
    std::vector<std::string> all;
    for (const AuditRecord& row : page.rows) all.push_back(row.action);
    return all;
  }
};

TEST(OldestAudit, FollowsTheDays) {
  const WallTime now(std::chrono::days(1000));
  EXPECT_EQ(oldest_audit({7, 0}, now), now - std::chrono::days(7));
  EXPECT_EQ(oldest_audit({0, 5}, now), WallTime::min());
}

TEST(BoundAudit, CutsBetweenCharacters) {
  AuditRecord record = audit_record("s", "answered");
  record.detail = std::string(kMaxAuditDetail - 1, 'x') + "\xc3\xa4";
  bound(record);
  EXPECT_EQ(record.detail, std::string(kMaxAuditDetail - 1, 'x'));
  record.detail = std::string(kMaxAuditDetail, 'x');
  bound(record);
  EXPECT_EQ(record.detail.size(), kMaxAuditDetail);
}

TEST_F(AuditTest, SurvivesAKillBeforeTheDatabaseHasIt) {
  const auto log = open_slow(path_);
  log->session_created(session_record("s", "ann"));
  AuditRecord record = audit_record("s", "answered", "ben");
  record.detail = "allow-once";
  log->audit(audit_record("s", "created"));
  log->audit(record);
  const std::string copy = killed(path_);
  for (int start = 0; start < 2; ++start) {
    const auto again = open(copy);
    const AuditPage page = trail(*again);
    ASSERT_THAT(actions(page), ElementsAre("created", "answered"));
    const AuditRecord& row = page.rows[1];
    EXPECT_EQ(row.session, SessionId("s"));
    EXPECT_EQ(row.detail, "allow-once");
    EXPECT_EQ(row.actor.principal, "ben");
    EXPECT_EQ(row.actor.transport, "relay_http");
    EXPECT_EQ(row.actor.peer, "127.0.0.1:4711");
    EXPECT_EQ(row.time, record.time);
  }
}

TEST_F(AuditTest, LeavesTheJournalWithItsRow) {
  {
    const auto log = open(path_);
    log->session_created(session_record("s"));
    log->record(kSession, message_record(1, "stays"));
    for (const char* const who : {"first of all", "second of all", "last of all"}) {
      log->audit(audit_record("s", "created", who));
    }
  }
  LogOptions options;
  options.path = path_;
  options.audit_rows = 1;
  const auto log = open(std::move(options));
  const std::string file = path_ + ".journal.1";
  EXPECT_TRUE(eventually([&] {
    const std::string content = content_of(file);
    return content.find("first of all") == std::string::npos &&
           content.find("second of all") == std::string::npos;
  }));
  EXPECT_NE(content_of(file).find("last of all"), std::string::npos);
  EXPECT_NE(content_of(file).find("stays"), std::string::npos);
}

TEST_F(AuditTest, IsWrittenOnceWhereBothHaveIt) {
  const auto log = open(path_);
  log->audit(audit_record("s", "created"));
  wait_for(log->flush());
  log->audit(audit_record("s", "closed"));
  const std::string copy = killed(path_);
  for (int start = 0; start < 3; ++start) {
    EXPECT_THAT(actions(trail(*open(copy))), ElementsAre("created", "closed"));
  }
}

TEST_F(AuditTest, OutlivesItsSession) {
  const auto log = open(path_);
  log->session_created(session_record("s"));
  log->record(kSession, message_record(1));
  log->audit(audit_record("s", "created"));
  log->session_closed(SessionId("s"), "closed", wall_now());
  ASSERT_TRUE(wait_for(log->erase(SessionId("s"))));
  log->audit(audit_record("s", "erased", "root"));
  EXPECT_FALSE(find(*log, "s"));
  AuditQuery query;
  query.session = "s";
  EXPECT_THAT(actions(trail(*log, query)), ElementsAre("created", "erased"));
}

TEST_F(AuditTest, IsReadInPagesByWhoAndWhat) {
  const auto log = open(path_);
  log->audit(audit_record("a", "one"));
  log->audit(audit_record("b", "two", "ben"));
  log->audit(audit_record("a", "three", ""));
  log->audit(audit_record("b", "four"));
  AuditQuery query;
  query.limit = 2;
  const AuditPage first = trail(*log, query);
  EXPECT_THAT(actions(first), ElementsAre("one", "two"));
  EXPECT_FALSE(first.complete);
  query.after = first.rows.back().number;
  const AuditPage second = trail(*log, query);
  EXPECT_THAT(actions(second), ElementsAre("three", "four"));
  EXPECT_TRUE(second.complete);
  query = {};
  query.session = "b";
  query.principal = "ben";
  EXPECT_THAT(actions(trail(*log, query)), ElementsAre("two"));
  query = {};
  query.principal = "";
  EXPECT_THAT(actions(trail(*log, query)), ElementsAre("three"));
}

TEST_F(AuditTest, IsReadWhileTheDatabaseCannotTakeIt) {
  const auto log = open(path_);
  log->session_created(session_record("s"));
  log->audit(audit_record("s", "created"));
  wait_for(log->flush());
  ASSERT_TRUE(wait_for(log->set_page_limit(1)));
  Sequence next = 1;
  ASSERT_TRUE(eventually([&] {
    SessionRecord changed = session_record("s");
    changed.agent_settings = std::string(10'000, 'x') + std::to_string(next++);
    log->session_created(session_record("s" + std::to_string(next)));
    log->session_changed(changed);
    trail(*log);
    return !log->status().writable;
  }));
  log->audit(audit_record("s", "closed"));
  EXPECT_THAT(actions(trail(*log)), ElementsAre("created", "closed"));
  AuditQuery query;
  query.limit = 1;
  const AuditPage first = trail(*log, query);
  EXPECT_THAT(actions(first), ElementsAre("created"));
  EXPECT_FALSE(first.complete);
  query.after = first.rows.back().number;
  EXPECT_THAT(actions(trail(*log, query)), ElementsAre("closed"));
  ASSERT_TRUE(wait_for(log->set_page_limit(1 << 20)));
  wait_for(log->flush());
  EXPECT_THAT(actions(trail(*log)), ElementsAre("created", "closed"));
}

TEST_F(AuditTest, HasNoSecret) {
  LogOptions options;
  options.path = path_;
  options.redact = [](std::string_view text) -> std::optional<std::string> {
    if (text.find("canary") == std::string_view::npos) return std::nullopt;
    return "***";
  };
  const auto log = open(options);
  AuditRecord record = audit_record("s", "answered");
  record.detail = "canary";
  log->audit(record);
  EXPECT_EQ(trail(*log).rows.at(0).detail, "***");
  wait_for(log->flush());
  EXPECT_EQ(content_of(journal_files(path_).at(0)).find("canary"), std::string::npos);
}

TEST_F(AuditTest, GoesWithItsLimits) {
  LogOptions options;
  options.path = path_;
  options.audit_days = 7;
  options.audit_rows = 3;
  {
    const auto log = open(path_);
    AuditRecord old = audit_record("s", "old");
    old.time = wall_now() - std::chrono::days(7) - std::chrono::seconds(1);
    log->audit(old);
    AuditRecord young = audit_record("s", "young");
    young.time = wall_now() - std::chrono::days(7) + std::chrono::hours(1);
    log->audit(young);
  }
  {
    const auto log = open(options);
    EXPECT_TRUE(
        eventually([&] { return actions(trail(*log)) == std::vector{std::string("young")}; }));
    for (int count = 0; count < 3; ++count) log->audit(audit_record("s", "later"));
    wait_for(log->flush());
  }
  const auto log = open(options);
  EXPECT_TRUE(
      eventually([&] { return actions(trail(*log)) == std::vector<std::string>(3, "later"); }));
}

}  // namespace
}  // namespace relay::storage
