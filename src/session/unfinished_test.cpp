// Forks that could not be undone: their log could not be written, or their relay was killed.
#include "session/unfinished.hpp"

#include "session/fork_fixture.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::HasSubstr;

class UnfinishedFork : public ForkFixture {
 protected:
  // As a killed relay leaves it.
  storage::SessionRecord half() {
    storage::SessionRecord session;
    session.id = SessionId("sess_00112233445566778899aabbccddeeff");
    session.isolation = "process";
    session.cause = kUnfinishedFork;
    sessions();
    log_->session_created(session);
    run_void(log_->flush());
    return session;
  }
  std::vector<storage::SessionRecord> open_ones() {
    storage::SessionQuery query;
    query.only_active = true;
    const auto page = run(sessions().list(query));
    return page ? page->sessions : std::vector<storage::SessionRecord>();
  }
};

TEST_F(UnfinishedFork, ThatCanNotBeErasedStaysOpenForTheNextRun) {
  const auto parent = said("one");
  parent->close(make_error(ErrorType::kSessionClosed, "closed"), "closed");
  run_void(parent->wait_closed());
  run_until([&] { return sessions().find(parent->id()) == nullptr; });
  const auto closed = record(parent->id());
  ASSERT_TRUE(closed);
  fill();
  const auto made = try_fork(*closed);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().explanation, HasSubstr("the log can't be written"));

  make_room();
  const auto left = open_ones();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].cause, kUnfinishedFork);
  run_void(sessions().recover());
  EXPECT_FALSE(record(left[0].id));
}

TEST_F(UnfinishedFork, ThatTheNextRunCanNotEraseIsLeftToTheOneAfterIt) {
  const SessionId id = half().id;
  fill();
  run_void(sessions().recover());
  ASSERT_TRUE(record(id));
  EXPECT_FALSE(record(id)->closed_at);
  make_room();
  EXPECT_EQ(open_ones().size(), 1U);
  run_void(sessions().recover());
  EXPECT_FALSE(record(id));
}

TEST_F(UnfinishedFork, IsNotGoneOnWithNorForkedAndCanBeDeleted) {
  storage::SessionRecord session = half();
  for (const bool is_closed : {false, true}) {  // earlier versions closed it
    if (is_closed) session.closed_at = wall_now();
    log_->session_created(session);
    const auto reopened = run(sessions().reopen(session.id, wanted()));
    ASSERT_FALSE(reopened);
    EXPECT_EQ(reopened.error().type, ErrorType::kSessionClosed);
    EXPECT_THAT(reopened.error().explanation, HasSubstr("only a part"));
    const auto forked = run(sessions().fork(session, wanted()));
    ASSERT_FALSE(forked);
    EXPECT_THAT(forked.error().explanation, HasSubstr("only a part"));
    EXPECT_EQ(record(session.id)->cause, kUnfinishedFork);
    EXPECT_TRUE(run(sessions().erase(session.id)));
    EXPECT_FALSE(record(session.id));
  }
}

}  // namespace
}  // namespace relay
