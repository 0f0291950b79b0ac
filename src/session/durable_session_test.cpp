// Sessions whose clients are told only what the log has: database.durability: strict.
#include "session/staged_backend.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::HasSubstr;

class DurableSession : public StagedFixture {
 protected:
  DurableSession() { options_.durable_first = true; }
};

TEST_F(DurableSession, CarriesTurnsAndReplaysThemOnce) {
  const auto session = create();
  Client& first = reading(attach(*session));
  prompt(*session, first, "7", "/chunks 300 10");
  Client& second = reading(attach(*session, 0));
  wait_for(first, R"("id":7)");
  wait_for(second, "turn_complete");
  for (const Client* client : {&first, &second}) {
    storage::Sequence last = 0;
    std::size_t chunks = 0;
    for (const Delivery& delivery : client->got) {
      if (delivery.kind == DeliveryKind::kUpdate) ++chunks;
      EXPECT_GT(delivery.sequence, last) << "in order and once";
      last = delivery.sequence;
    }
    EXPECT_GE(chunks, 300u);
  }
}

TEST_F(DurableSession, ToldItsLastWordsToClients) {
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "7", "/exit 3");
  wait_for(client, "session_closed");
  EXPECT_TRUE(client.has(R"("id":7)"));
}

TEST_F(DurableSession, PausesWhileTheLogCanNotBeWritten) {
  const auto session = create();
  Client& client = reading(attach(*session));
  fill();
  prompt(*session, client, "7", "hello");
  const auto refused = try_create();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().explanation, HasSubstr("can't be written"));
  EXPECT_TRUE(refused.error().recoverable);
  run_until(
      [&] { return session->last_sequence() >= 5; });  // the turn goes on as far as it was read
  EXPECT_FALSE(client.has("hello"));
  make_room();
  wait_for(client, R"("id":7)");
  EXPECT_TRUE(client.has("hello"));
}

TEST_F(DurableSession, ReplaysNothingThatTheDiskDoesNotHave) {
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "6", "before");
  wait_for(client, R"("id":6)");
  const auto shown = [&] {
    auto page = run(sessions().history(session->id(), 0, 100, 1 << 20));
    EXPECT_TRUE(page && page->complete);
    return page && !page->messages.empty() ? page->messages.back().sequence : 0;
  };
  run_until([&] { return shown() == session->last_sequence(); });
  fill();
  const storage::Sequence told = session->last_sequence();
  prompt(*session, client, "7", "hello");
  run_until([&] { return session->last_sequence() >= told + 3; });
  Client& later = reading(attach(*session, 0));
  wait_for(later, "turn_complete");
  for (int i = 0; i < 3; ++i) {  // behind its own
    const auto read = run(log_->history(session->id(), 0, 100, 1 << 20));
    ASSERT_TRUE(read);
  }
  EXPECT_FALSE(later.has("hello"));
  EXPECT_EQ(shown(), told);
  EXPECT_EQ(session->leave_out_untold(session->last_sequence()), told) << "where an export ends";
  EXPECT_EQ(session->leave_out_untold(storage::Sequence{1}), 1);
  make_room();
  wait_for(later, "hello");
  run_until([&] { return shown() > told; });
}

TEST_F(DurableSession, AsksOnceWhoAttachesAgainBeforeTheDiskHasTheQuestion) {
  for (const auto& after :
       {std::optional<storage::Sequence>(0), std::optional<storage::Sequence>()}) {
    const auto session = create();
    Client& client = reading(attach(*session));
    fill();
    prompt(*session, client, "7", "/call _x/ask");
    run_until([&] {
      return std::ranges::count(history(session->id()).messages, "_x/ask",
                                &storage::MessageRecord::method) > 0;
    });
    Attachment again;
    again.outbox = client.outbox;
    again.after = after;
    again.in_place_of = client.id;
    ASSERT_TRUE(session->attach(std::move(again)));
    make_room();
    wait_for(client, R"("method":"_x/ask")");
    const auto asked =
        Frame::parse(client.text(client.find(R"("method":"_x/ask")")), FrameLimits());
    ASSERT_TRUE(asked);
    auto answer = Frame::parse(rpc::result(asked->id(), "{}"), {});
    session->submit(client.id, std::move(*answer));
    wait_for(client, R"("id":7)");
    EXPECT_EQ(std::ranges::count_if(client.got,
                                    [](const Delivery& one) {
                                      return one.bytes.view().find(R"("method":"_x/ask")") !=
                                             std::string_view::npos;
                                    }),
              1);
  }
}

// Not only when the agent is silent, which this one never is.
TEST_F(DurableSession, ReplaysUpToWhatOthersAreToldAndGoesOnLive) {
  options_.cancel_grace = 50ms;
  options_.stop_grace = 50ms;
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "7", "/flood 1000000000");
  wait_for(client, "agent_message_chunk");
  Client& later = reading(attach(*session));
  Attachment again;
  again.outbox = later.outbox;
  again.after = 0;
  again.in_place_of = later.id;
  again.answer = Delivery{SharedBytes(rpc::result("9", "{}")), 0, DeliveryKind::kResponse};
  again.answer_at = Attachment::kAfterReplay;
  later.got.clear();
  ASSERT_TRUE(session->attach(std::move(again)));
  wait_for(later, R"("id":9)");
  storage::Sequence last = 0;
  for (const Delivery& delivery : later.got) {
    if (delivery.kind != DeliveryKind::kUpdate) continue;
    EXPECT_GT(delivery.sequence, last) << "in order and once";
    last = delivery.sequence;
  }
  EXPECT_GT(last, 0);
}

TEST_F(DurableSession, IsTellableWhenTheDiskHasIt) {
  stage_.launching = event();
  use_stage();
  for (const bool client_stays : {true, false}) {
    std::optional<Result<std::shared_ptr<Session>>> made;
    asio::co_spawn(io_, sessions().create(wanted()),
                   [&made](std::exception_ptr, Result<std::shared_ptr<Session>> given) {
                     made = std::move(given);
                   });
    run_until([&] { return stage_.launches == (client_stays ? 1u : 2u); });
    fill();
    stage_.launching->happen();
    const auto all = sessions().all();
    const auto starting = std::ranges::find(all, SessionState::kStarting, &Session::state);
    ASSERT_NE(starting, all.end());
    run_until([&] { return (*starting)->last_sequence() > 0; });
    EXPECT_FALSE(made) << "it has been told";
    if (!client_stays) close(*starting);
    make_room();
    run_until([&] { return made.has_value(); });
    EXPECT_EQ(made->has_value(), client_stays);
    stage_.launching = event();
  }
}

TEST_F(DurableSession, ShowsItsHistoryWhileItIsOpenedAgain) {
  use_stage();
  const auto session = create();
  close(session);
  const SessionId id = session->id();
  const auto known = history(id).messages.size();
  ASSERT_GT(known, 0U);
  stage_.launching = event();
  asio::co_spawn(io_, sessions().reopen(id, wanted()),
                 [](std::exception_ptr, const Result<std::shared_ptr<Session>>&) {});
  run_until([&] { return stage_.launches == 2; });
  const auto page = run(sessions().history(id, 0, 100, 1 << 20));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->messages.size(), known);
  stage_.launching->happen();
  run_until([&] { return sessions().find(id) != nullptr; });
}

TEST_F(DurableSession, TellsWhoCatchesUpOfItsEndWhileTheLogCanNotBeWritten) {
  options_.cancel_grace = 50ms;
  const auto session = create();
  Client& slow = attach(*session, std::nullopt, {1u << 20, 20});
  for (int i = 0; i < 12; ++i) slow.outbox->push({SharedBytes("x"), 0, {}});
  Attachment again;  // its replay waits for room
  again.outbox = slow.outbox;
  again.after = 0;
  again.in_place_of = slow.id;
  ASSERT_TRUE(session->attach(std::move(again)));
  fill();
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  run_void(session->wait_closed());
  wait_for(reading(slow), "session_closed");
}

TEST_F(DurableSession, EndsWhileTheLogCanNotBeWritten) {
  options_.cancel_grace = 50ms;
  const auto session = create();
  Client& client = reading(attach(*session));
  fill();
  prompt(*session, client, "7", "/sleep 60");
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  run_void(session->wait_closed());
  wait_for(client, "session_closed");
  EXPECT_FALSE(has_children());
  for (const char* const words : {R"("id":7)", "session_closed"}) {
    const std::size_t at = client.find(words);
    ASSERT_LT(at, client.got.size());
    EXPECT_EQ(client.got[at].sequence, 0) << "the next run may give the number to another message";
  }
}

}  // namespace
}  // namespace relay
