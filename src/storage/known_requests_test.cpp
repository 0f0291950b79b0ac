#include "storage/log_fixture.hpp"

#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class KnownRequests : public LogTest {
 protected:
  KnownRequests() { log_->session_created(session_record("s")); }

  void record(const std::string& rpc_id, Origin origin = Origin::kClient,
              MessageKind kind = MessageKind::kRequest) {
    MessageRecord message = message_record(++sequence_);
    message.origin = origin;
    message.kind = kind;
    message.rpc_id = rpc_id;
    log_->record(SessionId("s"), message);
  }
  void updates(int count) {
    for (int m = 0; m < count; ++m) {
      log_->record(SessionId("s"), message_record(++sequence_));
    }
  }
  std::vector<std::string> known(std::vector<std::string> ids) {
    auto found = wait_for(log_->known_requests(SessionId("s"), std::move(ids)));
    EXPECT_TRUE(found) << found.error().explanation;
    return found ? std::move(*found) : std::vector<std::string>();
  }

  std::unique_ptr<SqliteLog> log_ = open();
  Sequence sequence_ = 0;
};

TEST_F(KnownRequests, AreThoseOfClientsUnderTheSameText) {
  record("1");
  record("\"1\"");
  record("2", Origin::kAgent);
  record("3", Origin::kRelay);
  record("4", Origin::kAgent, MessageKind::kResponse);
  record("5", Origin::kClient, MessageKind::kResponse);
  record("\"b-17\"");
  EXPECT_THAT(known({"\"b-17\"", "5", "4", "3", "2", "\"1\"", "1", "1.0", ""}),
              ElementsAre("\"b-17\"", "\"1\"", "1"));
  EXPECT_THAT(known({"\"2\""}), IsEmpty());
  EXPECT_THAT(known({}), IsEmpty());
}

TEST_F(KnownRequests, AreFoundHoweverFarBackAndInWhateverRuns) {
  record("\"first\"");
  updates(30'000);
  for (int m = 0; m < 600; ++m) {  // a run a message
    record(std::to_string(m));
    if (m % 100 == 0) wait_for(log_->flush());
  }
  log_->session_created(session_record("other"));
  updates(5'000);
  record("\"last\"");
  EXPECT_THAT(known({"\"first\"", "0", "\"none\"", "599", "\"last\""}),
              ElementsAre("\"first\"", "0", "599", "\"last\""));
  const auto other = wait_for(log_->known_requests(SessionId("other"), {"0"}));
  EXPECT_THAT(*other, IsEmpty());
}

TEST_F(KnownRequests, AreFoundInASessionThatRunsBesideOthers) {
  log_->session_created(session_record("other"));
  for (int m = 1; m <= 5'000; ++m) {
    record(std::to_string(m));
    log_->record(SessionId("other"), message_record(m));
  }
  EXPECT_THAT(known({"1", "2500", "5000", "5001"}), ElementsAre("1", "2500", "5000"));
}

TEST_F(KnownRequests, LetOthersThroughMeanwhile) {
  record("1");
  for (int m = 1; m <= 3'000; ++m) record('"' + std::string(200, 'x') + std::to_string(m) + '"');
  wait_for(log_->flush());
  std::vector<std::string> answers;
  asio::co_spawn(loop_, log_->known_requests(SessionId("s"), {"1"}),
                 [&](std::exception_ptr, Result<std::vector<std::string>> found) {
                   EXPECT_THAT(*found, ElementsAre("1"));
                   answers.push_back("requests");
                 });
  asio::co_spawn(loop_, log_->find(SessionId("s")),
                 [&](std::exception_ptr, Result<std::optional<SessionRecord>> found) {
                   EXPECT_TRUE(*found);
                   answers.push_back("session");
                 });
  loop_.restart();
  loop_.run();
  EXPECT_THAT(answers, ElementsAre("session", "requests"));
}

TEST_F(KnownRequests, AreNotThoseOfAnErasedOrUnknownSession) {
  record("1");
  log_->session_closed(SessionId("s"), "done", wall_now());
  EXPECT_THAT(known({"1"}), ElementsAre("1"));
  EXPECT_TRUE(wait_for(log_->erase(SessionId("s"))));
  EXPECT_THAT(known({"1"}), IsEmpty());
}

TEST_F(KnownRequests, AreKnownBeforeTheyAreWritten) {
  const TemporaryDirectory directory;
  log_ = open(directory.file("log.db"));
  log_->session_created(session_record("s"));
  record("1");
  wait_for(log_->flush());
  EXPECT_TRUE(wait_for(log_->set_page_limit(1)));
  SessionRecord large = session_record("large");
  large.agent_profile = std::string(1u << 20, 'x');
  log_->session_created(large);
  record("2");
  EXPECT_TRUE(eventually([&] { return find(*log_, "s") && !log_->status().writable; }));
  EXPECT_THAT(known({"1", "2", "3"}), ElementsAre("1", "2"));
}

TEST_F(KnownRequests, CannotBeAskedForWithoutABound) {
  const auto refused = wait_for(
      log_->known_requests(SessionId("s"), std::vector<std::string>(kMaxAskedRequests + 1, "1")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kInvalidParams);
  EXPECT_FALSE(refused.error().suggested_actions.empty());
}

}  // namespace
}  // namespace relay::storage
