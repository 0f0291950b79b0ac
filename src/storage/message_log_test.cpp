#include "storage/message_log.hpp"

#include "storage/log_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <gmock/gmock.h>

namespace relay::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(LogTest, ReadsWhatWasRecordedBeforeTheQuestion) {
  const auto log = open();
  log->session_created(session_record("s"));
  MessageRecord message = message_record(1, R"({"jsonrpc":"2.0"})");
  message.origin = Origin::kClient;
  message.kind = MessageKind::kRequest;
  message.method = "session/prompt";
  message.rpc_id = "\"a\"";
  message.to_client = false;
  const WallTime time = message.time;
  log->record(SessionId("s"), message);

  const HistoryPage page = history(*log, "s");
  ASSERT_EQ(page.messages.size(), 1u);
  EXPECT_EQ(page.messages[0].body.view(), R"({"jsonrpc":"2.0"})");
  EXPECT_EQ(page.messages[0].origin, Origin::kClient);
  EXPECT_EQ(page.messages[0].kind, MessageKind::kRequest);
  EXPECT_EQ(page.messages[0].method, "session/prompt");
  EXPECT_EQ(page.messages[0].rpc_id, "\"a\"");
  EXPECT_FALSE(page.messages[0].to_client);
  EXPECT_EQ(page.messages[0].time, time);
  EXPECT_TRUE(page.complete);
  EXPECT_EQ(find(*log, "s")->last_sequence, 1);
}

TEST_F(LogTest, KeepsBodiesByteForByte) {
  const auto log = open();
  log->session_created(session_record("s"));
  const std::string body("a\0b\xff\xc3\n", 6);
  log->record(SessionId("s"), message_record(1, body));
  log->record(SessionId("s"), message_record(2, ""));
  log->record(SessionId("s"), message_record(3, std::string(3u << 20, 'x')));
  const HistoryPage page = history(*log, "s");
  ASSERT_EQ(page.messages.size(), 3u);
  EXPECT_EQ(page.messages[0].body.view(), body);
  EXPECT_TRUE(page.messages[1].body.empty());
  EXPECT_EQ(page.messages[2].body.size(), 3u << 20);
}

TEST_F(LogTest, KeepsTheOrderOfManySessionsThatWriteAtOnce) {
  const auto log = open();
  const int sessions = 7, messages = 1'500;
  for (int s = 0; s < sessions; ++s) log->session_created(session_record(std::to_string(s)));
  for (int m = 1; m <= messages; ++m) {
    for (int s = 0; s < sessions; ++s) {
      log->record(SessionId(std::to_string(s)),
                  message_record(m, std::to_string(s) + ":" + std::to_string(m)));
    }
  }
  for (int s = 0; s < sessions; ++s) {
    const HistoryPage page = history(*log, std::to_string(s));
    ASSERT_EQ(page.messages.size(), static_cast<std::size_t>(messages));
    for (int m = 1; m <= messages; ++m) {
      const MessageRecord& message = page.messages[static_cast<std::size_t>(m - 1)];
      ASSERT_EQ(message.sequence, m);
      ASSERT_EQ(message.body.view(), std::to_string(s) + ":" + std::to_string(m));
    }
  }
}

TEST_F(LogTest, PagesAHistoryByCount) {
  const auto log = open();
  log->session_created(session_record("s"));
  for (int m = 1; m <= 5; ++m) {
    log->record(SessionId("s"), message_record(m));
    wait_for(log->flush());  // a run of its own for every message
  }
  HistoryPage page = history(*log, "s", 0, 2);
  EXPECT_THAT(sequences(page), ElementsAre(1, 2));
  EXPECT_FALSE(page.complete);
  page = history(*log, "s", 2, 3);
  EXPECT_THAT(sequences(page), ElementsAre(3, 4, 5));
  EXPECT_TRUE(page.complete);
  EXPECT_THAT(sequences(history(*log, "s", 5)), IsEmpty());
  EXPECT_THAT(sequences(history(*log, "s", 4, 0)), ElementsAre(5)) << "at least one";
  EXPECT_THAT(sequences(history(*log, "s", -3, 1)), ElementsAre(1));
  EXPECT_THAT(sequences(history(*log, "unknown")), IsEmpty());
}

TEST_F(LogTest, PagesAHistoryByBytes) {
  const auto log = open();
  log->session_created(session_record("s"));
  for (int m = 1; m <= 4; ++m) log->record(SessionId("s"), message_record(m, "1234567890"));
  EXPECT_THAT(sequences(history(*log, "s", 0, 100, 20)), ElementsAre(1, 2));
  EXPECT_THAT(sequences(history(*log, "s", 0, 100, 29)), ElementsAre(1, 2));
  EXPECT_THAT(sequences(history(*log, "s", 2, 100, 20)), ElementsAre(3, 4));
  EXPECT_TRUE(history(*log, "s", 2, 100, 20).complete);
  const HistoryPage tiny = history(*log, "s", 1, 100, 1);
  EXPECT_THAT(sequences(tiny), ElementsAre(2)) << "at least one, however large";
  EXPECT_FALSE(tiny.complete);
}

TEST_F(LogTest, ListsSessionsNewestFirstInPages) {
  const auto log = open();
  for (int s = 1; s <= 5; ++s) {
    log->session_created(session_record(std::to_string(s), s % 2 == 1 ? "odd" : "even"));
  }
  log->session_closed(SessionId("3"), "client_request", wall_now());
  SessionQuery query;
  query.limit = 2;
  auto page = wait_for(log->list(query));
  EXPECT_THAT(ids(*page), ElementsAre("5", "4"));
  query.cursor = page->next_cursor.value();
  page = wait_for(log->list(query));
  EXPECT_THAT(ids(*page), ElementsAre("3", "2"));
  query.cursor = page->next_cursor.value();
  page = wait_for(log->list(query));
  EXPECT_THAT(ids(*page), ElementsAre("1"));
  EXPECT_FALSE(page->next_cursor);

  SessionQuery odd;
  odd.owner = "odd";
  EXPECT_THAT(ids(*wait_for(log->list(odd))), ElementsAre("5", "3", "1"));
  odd.limit = 3;
  EXPECT_FALSE(wait_for(log->list(odd))->next_cursor) << "nothing follows a page that is just full";
  odd.only_active = true;
  EXPECT_THAT(ids(*wait_for(log->list(odd))), ElementsAre("5", "1"));
}

TEST_F(LogTest, ListsTheSessionsOfAnAgentOrADirectory) {
  const auto log = open();
  for (int s = 1; s <= 6; ++s) {
    SessionRecord session = session_record(std::to_string(s), "ann");
    session.agent = s <= 4 ? "claude" : "";
    session.working_directory = s % 2 == 1 ? "/odd" : "/even";
    session.title = "title " + session.id.value();
    log->session_created(session);
  }
  SessionQuery query;
  query.agent = "claude";
  query.limit = 3;
  auto page = wait_for(log->list(query));
  EXPECT_THAT(ids(*page), ElementsAre("4", "3", "2"));
  EXPECT_EQ(page->sessions[0].agent, "claude");
  EXPECT_EQ(page->sessions[0].title, "title 4");
  query.cursor = page->next_cursor.value();
  page = wait_for(log->list(query));
  EXPECT_THAT(ids(*page), ElementsAre("1"));
  EXPECT_FALSE(page->next_cursor);

  query = {};
  query.agent = "";
  EXPECT_THAT(ids(*wait_for(log->list(query))), ElementsAre("6", "5")) << "of the default agent";
  query = {};
  query.working_directory = "/odd";
  query.owner = "ann";
  EXPECT_THAT(ids(*wait_for(log->list(query))), ElementsAre("5", "3", "1"));
  query.agent = "claude";
  query.limit = 2;
  page = wait_for(log->list(query));
  EXPECT_THAT(ids(*page), ElementsAre("3", "1"));
  EXPECT_FALSE(page->next_cursor);
  query.working_directory = "/od";
  EXPECT_THAT(ids(*wait_for(log->list(query))), IsEmpty());
}

TEST_F(LogTest, ListsNoMoreThanAPageOfBytes) {
  const auto log = open();
  int number = 0;
  for (const std::size_t mib : {3u, 3u, 3u, 1u, 9u}) {
    SessionRecord session = session_record(std::to_string(mib) + "." + std::to_string(++number));
    session.working_directory = std::string(mib << 20, 'w');
    log->session_created(session);
  }
  SessionQuery query;
  std::vector<std::vector<std::string>> pages;
  do {
    const auto page = wait_for(log->list(query));
    ASSERT_TRUE(page);
    pages.push_back(ids(*page));
    query.cursor = page->next_cursor.value_or("");
  } while (!query.cursor.empty());
  EXPECT_THAT(pages,
              ElementsAre(ElementsAre("9.5"), ElementsAre("1.4", "3.3", "3.2"), ElementsAre("3.1")))
      << "at least one, however large";
}

TEST_F(LogTest, ListsSessionsWithoutWhatTheirAgentsSaidOfThemselves) {
  const auto log = open();
  SessionRecord session = session_record("s");
  session.agent_profile = R"({"protocolVersion":1})";
  session.agent_settings = R"({"modes":1})";
  session.image = "agent:1";
  session.image_id = "sha256:1";
  log->session_created(session);
  log->session_used(session.id, "used");
  log->record(session.id, {}, {{900, 7, 8}, 1, 2});
  const auto page = wait_for(log->list({}));
  ASSERT_THAT(page->sessions, SizeIs(1));
  const SessionRecord& listed = page->sessions[0];
  EXPECT_EQ(listed.agent_profile, "");
  EXPECT_EQ(listed.agent_settings, "");
  EXPECT_EQ(listed.image, "agent:1");
  EXPECT_EQ(listed.image_id, "sha256:1");
  EXPECT_EQ(listed.upstream_use, "used");
  EXPECT_EQ(listed.progress.output.bytes, 900u);
  EXPECT_EQ(find(*log, "s")->agent_profile, session.agent_profile);
  EXPECT_EQ(find(*log, "s")->agent_settings, session.agent_settings);
}

TEST_F(LogTest, KeepsUpWhenASessionWasUpdated) {
  const auto log = open();
  const auto updated_at = [&] { return find(*log, "s")->updated_at; };
  SessionRecord session = session_record("s");
  session.created_at = wall_now() - std::chrono::hours(2);
  log->session_created(session);
  EXPECT_EQ(updated_at(), session.created_at);
  MessageRecord message = message_record(1);
  message.time = session.created_at + std::chrono::minutes(5);
  log->record(SessionId("s"), message);
  EXPECT_EQ(updated_at(), message.time);
  EXPECT_EQ(wait_for(log->list({}))->sessions[0].updated_at, message.time);
  const WallTime before = wall_now();
  log->session_changed(session);
  const WallTime changed = updated_at();
  EXPECT_GE(changed, before);
  message.sequence = 2;  // a clock that went back
  log->record(SessionId("s"), message);
  log->session_closed(SessionId("s"), "idle", changed + std::chrono::hours(1));
  EXPECT_EQ(updated_at(), changed) << "closing is not an update";
}

TEST_F(LogTest, RefusesACursorItDidNotGiveOut) {
  const auto log = open();
  SessionQuery query;
  query.cursor = "' OR 1=1";
  const auto page = wait_for(log->list(query));
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().type, ErrorType::kInvalidParams);
  EXPECT_FALSE(page.error().suggested_actions.empty());
}

TEST_F(LogTest, KeepsWhatChangesInASession) {
  const auto log = open();
  log->session_created(session_record("s", "ann"));
  SessionRecord changed = session_record("s");
  changed.agent_session_id = "agent-1";
  changed.title = "A title";
  changed.last_sequence = 9;
  log->session_changed(changed);
  const WallTime end = wall_now();
  log->session_closed(SessionId("s"), "idle", end);
  log->session_closed(SessionId("s"), "again", end + std::chrono::seconds(1));
  const auto found = find(*log, "s");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->owner, "ann");
  EXPECT_EQ(found->agent_session_id, "agent-1");
  EXPECT_EQ(found->title, "A title");
  EXPECT_EQ(found->last_sequence, 9);
  EXPECT_EQ(found->closed_at, end);
  EXPECT_EQ(found->cause, "idle");
  EXPECT_FALSE(find(*log, "other"));
}

TEST_F(LogTest, ErasesAClosedSessionWithItsMessages) {
  const TemporaryDirectory directory;
  const auto log = open(directory.file("log.db"));
  for (const std::string id : {"gone", "stays"}) {
    log->session_created(session_record(id));
    for (int m = 1; m <= 3; ++m) log->record(SessionId(id), message_record(m));
  }
  const auto open_one = wait_for(log->erase(SessionId("gone")));
  ASSERT_FALSE(open_one);
  EXPECT_EQ(open_one.error().type, ErrorType::kInvalidParams);
  log->session_closed(SessionId("gone"), "done", wall_now());
  EXPECT_TRUE(wait_for(log->erase(SessionId("gone"))));
  EXPECT_FALSE(find(*log, "gone"));
  EXPECT_THAT(sequences(history(*log, "gone")), IsEmpty());
  EXPECT_THAT(sequences(history(*log, "stays")), ElementsAre(1, 2, 3));
  const auto missing = wait_for(log->erase(SessionId("gone")));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().type, ErrorType::kSessionNotFound);
}

class LargeErasure : public LogTest {
 protected:
  static constexpr int kMessages = 10'000;

  LargeErasure() {
    make_large(session_record("large"));
    log_->session_created(session_record("other"));
    log_->session_closed(SessionId("large"), "done", wall_now());
    wait_for(log_->flush());
  }
  void make_large(const SessionRecord& session) {
    log_->session_created(session);
    for (int m = 1; m <= kMessages; ++m) log_->record(session.id, message_record(m));
  }
  // Begins to erase it; the answer is in `erased_`.
  void begin(const asio::cancellation_slot& slot = {}, const std::string& session = "large") {
    asio::co_spawn(loop_, log_->erase(SessionId(session)),
                   asio::bind_cancellation_slot(
                       slot, [this](std::exception_ptr failure, const Result<void>& answer) {
                         erased_.push_back(!failure && answer);
                       }));
  }

  std::unique_ptr<SqliteLog> log_ = open();
  std::vector<bool> erased_;
};

TEST_F(LargeErasure, LetsOtherWritesAndReadsThrough) {
  begin();
  log_->record(SessionId("other"), message_record(1));
  std::optional<HistoryPage> other, large;
  const auto read = [this](const std::string& session, std::optional<HistoryPage>& page) {
    asio::co_spawn(loop_, log_->history(SessionId(session), 0, kMessages, 1u << 30),
                   [this, &page](std::exception_ptr, Result<HistoryPage> answer) {
                     EXPECT_THAT(erased_, IsEmpty());
                     page = std::move(*answer);
                   });
  };
  read("other", other);
  read("large", large);
  loop_.restart();
  loop_.run();
  EXPECT_THAT(erased_, ElementsAre(true));
  EXPECT_THAT(sequences(*other), ElementsAre(1));
  ASSERT_THAT(large->gaps, SizeIs(1));
  ASSERT_FALSE(large->messages.empty());
  EXPECT_EQ(large->gaps[0].from, 1);
  EXPECT_EQ(large->messages.front().sequence, large->gaps[0].to + 1);
  EXPECT_EQ(large->messages.back().sequence, kMessages);
  EXPECT_FALSE(find(*log_, "large"));
  EXPECT_THAT(sequences(history(*log_, "large")), IsEmpty());
  EXPECT_TRUE(find(*log_, "other"));
}

TEST_F(LargeErasure, CanBeCancelledAndDoneAgain) {
  asio::cancellation_signal stop;
  begin(stop.slot());
  loop_.restart();
  for (int turns = 0; turns < 4; ++turns) loop_.run_one();
  stop.emit(asio::cancellation_type::terminal);
  loop_.run();
  EXPECT_THAT(erased_, ElementsAre(false));
  const HistoryPage page = history(*log_, "large");
  ASSERT_FALSE(page.messages.empty());
  EXPECT_EQ(page.messages.back().sequence, kMessages);
  EXPECT_EQ(text(page.gaps), "[1," + std::to_string(page.messages.front().sequence - 1) + "]");
  begin();
  begin();  // two at a time
  loop_.restart();
  loop_.run();
  EXPECT_THAT(erased_, ElementsAre(false, true, true));
  EXPECT_FALSE(find(*log_, "large"));
}

// A relay that ends in between knows the rest of it for what it is.
TEST_F(LargeErasure, OfOneThatWasNeverFinishedLeavesItOpenUntilItIsGone) {
  SessionRecord half = session_record("half");
  half.cause = "fork_unfinished";
  make_large(half);
  wait_for(log_->flush());
  asio::cancellation_signal stop;
  begin(stop.slot(), "half");
  loop_.restart();
  for (int turns = 0; turns < 4; ++turns) loop_.run_one();
  stop.emit(asio::cancellation_type::terminal);
  loop_.run();
  EXPECT_THAT(erased_, ElementsAre(false));
  EXPECT_THAT(history(*log_, "half").gaps, SizeIs(1)) << "a part of it is gone";
  SessionQuery active;
  active.only_active = true;
  const auto left = wait_for(log_->list(active));
  EXPECT_THAT(ids(*left), ElementsAre("half", "other"));
  EXPECT_EQ(left->sessions[0].cause, "fork_unfinished");
  EXPECT_TRUE(wait_for(log_->erase(half.id)));
  EXPECT_FALSE(find(*log_, "half"));
  EXPECT_FALSE(wait_for(log_->erase(SessionId("other")))) << "it is open and has no cause";
}

TEST_F(LogTest, CountsMessagesOfUnknownSessionsAsLost) {
  const auto log = open();
  log->record(SessionId("nobody"), message_record(1));
  log->session_created(session_record("s"));
  log->record(SessionId("s"), message_record(1));
  log->record(SessionId("s"), message_record(2));
  wait_for(log->flush());
  EXPECT_EQ(log->status().lost_messages, 1u);
  EXPECT_EQ(log->status().written_messages, 2u);
  EXPECT_EQ(log->status().pending_bytes, 0u);
  EXPECT_TRUE(log->status().writable);
}

TEST_F(LogTest, LetsAReaderBeCancelled) {
  auto log = open();
  log->session_created(session_record("s"));
  asio::cancellation_signal cancel;
  bool ended = false, aborted = false;
  auto reading = [&]() -> Task<void> {
    const auto page = co_await log->history(SessionId("s"), 0, 10, 1000);
    EXPECT_TRUE(page);
  };
  asio::co_spawn(loop_, reading,
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr failure) {
                   ended = true;
                   aborted = failure != nullptr;
                 }));
  asio::post(loop_, [&] { cancel.emit(asio::cancellation_type::terminal); });
  loop_.restart();
  loop_.run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(aborted);
  log.reset();
}

TEST(MessageLogShutdown, MayHappenWhileAReaderWaits) {
  auto loop = std::make_unique<asio::io_context>(1);
  LogOptions options;
  options.path = ":memory:";
  auto log = SqliteLog::open(loop->get_executor(), options, Logger::silent());
  ASSERT_TRUE(log);
  auto reading = [&]() -> Task<void> {
    const auto page = co_await (*log)->history(SessionId("s"), 0, 10, 1000);
    EXPECT_TRUE(page);
  };
  asio::co_spawn(*loop, reading, [](std::exception_ptr) {});
  loop->poll_one();
  log->reset();
  loop.reset();
}

TEST_F(LogTest, TheNullLogKeepsNothing) {
  const auto log = make_null_log();
  log->session_created(session_record("s"));
  log->record(SessionId("s"), message_record(1));
  wait_for(log->flush());
  EXPECT_THAT(sequences(history(*log, "s")), IsEmpty());
  EXPECT_TRUE(wait_for(log->list({}))->sessions.empty());
  EXPECT_FALSE(find(*log, "s"));
  log->session_reopened(session_record("s"));
  EXPECT_FALSE(find(*log, "s"));
  EXPECT_THAT(*wait_for(log->known_requests(SessionId("s"), {"1"})), IsEmpty());
  EXPECT_FALSE(wait_for(log->erase(SessionId("s"))));
}

TEST(HistoryPage, IsGoneThroughInTheOrderOfItsNumbers) {
  HistoryPage page;
  page.gaps = {{1, 2}, {5, 6}, {8, 9}};
  for (const Sequence sequence : {3, 4, 7}) page.messages.push_back(message_record(sequence));
  std::string seen;
  in_order(
      page,
      [&](const Gap& gap) {
        seen += std::to_string(gap.from) + "-" + std::to_string(gap.to) + " ";
      },
      [&](const MessageRecord& message) { seen += std::to_string(message.sequence) + " "; });
  EXPECT_EQ(seen, "1-2 3 4 5-6 7 8-9 ");
}

}  // namespace
}  // namespace relay::storage
