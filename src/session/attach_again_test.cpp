// A client that loads or resumes a session which its connection uses already.
#include "session/session_fixture.hpp"

#include <algorithm>

namespace relay {
namespace {

class AttachAgain : public SessionFixture {
 protected:
  void attach_again(Session& session, const Client& client, const std::string& answer,
                    std::optional<storage::Sequence> after = 0) {
    Attachment attachment;
    attachment.outbox = client.outbox;
    attachment.after = after;
    attachment.in_place_of = client.id;
    attachment.answer =
        Delivery{SharedBytes(rpc::result(answer, "{}")), 0, DeliveryKind::kResponse};
    attachment.answer_at = Attachment::kAfterReplay;
    const auto id = session.attach(std::move(attachment));
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, client.id);
  }
  static std::ptrdiff_t count(const Client& client, std::string_view words) {
    return std::ranges::count_if(client.got, [words](const Delivery& one) {
      return one.bytes.view().find(words) != std::string_view::npos;
    });
  }
};

TEST_F(AttachAgain, StillGetsTheAnswersToItsRequests) {
  const auto session = create();
  for (const auto& after :
       {std::optional<storage::Sequence>(0), std::optional<storage::Sequence>()}) {
    Client& client = reading(attach(*session));
    prompt(*session, client, "7", "/chunks 3 5");
    attach_again(*session, client, "8", after);
    wait_for(client, R"("id":7)");
    wait_for(client, R"("id":8)");
    EXPECT_EQ(count(client, R"("id":7)"), 1);
    EXPECT_EQ(count(client, R"("id":8)"), 1);
    EXPECT_EQ(session->client_count(), 1u);
    session->detach(client.id);
  }
}

TEST_F(AttachAgain, GetsTheAnswerOfTheReplayThatItsOwnHasEnded) {
  const auto session = create();
  Client& client = reading(attach(*session));
  attach_again(*session, client, "1");
  attach_again(*session, client, "2");
  wait_for(client, R"("id":1)");
  wait_for(client, R"("id":2)");
}

TEST_F(AttachAgain, IsNotAskedTwiceAndAnswers) {
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "7", "/call _x/ask");
  wait_for(client, R"("method":"_x/ask")");
  attach_again(*session, client, "8");
  wait_for(client, R"("id":8)");
  EXPECT_EQ(count(client, R"("method":"_x/ask")"), 1);
  const std::string question = client.text(client.find(R"("method":"_x/ask")"));
  const auto asked = Frame::parse(question, {});
  ASSERT_TRUE(asked);
  auto answer = Frame::parse(rpc::result(asked->id(), R"({"said":"so"})"), {});
  session->submit(client.id, std::move(*answer));
  wait_for(client, R"("id":7)");
  EXPECT_EQ(count(client, "said"), 1);
}

// It comes behind the replay. The first one waits for room where nobody reads.
TEST_F(AttachAgain, IsAskedWhatCameWhileTheReplayBeforeWasUnderWay) {
  const auto session = create();
  Client& client = attach(*session, std::nullopt, {1u << 20, 20});
  for (int i = 0; i < 12; ++i) client.outbox->push({SharedBytes("x"), 0, {}});
  attach_again(*session, client, "8");
  prompt(*session, client, "7", "/call _x/ask");
  run_until([&] {
    return std::ranges::count(history(session->id()).messages, "_x/ask",
                              &storage::MessageRecord::method) > 0;
  });
  attach_again(*session, client, "9");
  reading(client);
  wait_for(client, R"("id":9)");
  wait_for(client, R"("method":"_x/ask")");
  attach_again(*session, client, "10");
  wait_for(client, R"("id":10)");
  EXPECT_EQ(count(client, R"("method":"_x/ask")"), 1) << "it has it";
}

// An observer answers nothing: the agent is told so.
TEST_F(AttachAgain, AsAnObserverIsNotWaitedFor) {
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "7", "/call _x/ask");
  wait_for(client, R"("method":"_x/ask")");
  Attachment observer;
  observer.outbox = client.outbox;
  observer.traits.may_act = false;
  observer.in_place_of = client.id;
  ASSERT_TRUE(session->attach(std::move(observer)));
  EXPECT_EQ(session->client_count(), 1u);
  wait_for(client, R"("id":7)");  // its own request is answered all the same
}

}  // namespace
}  // namespace relay
