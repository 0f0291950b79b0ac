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
  prompt(*session, client, "7", R"(/call terminal/create {"command":"ls"})");
  wait_for(client, "terminal/create");
  attach_again(*session, client, "8");
  wait_for(client, R"("id":8)");
  EXPECT_EQ(count(client, R"("method":"terminal/create")"), 1);
  const std::string question = client.text(client.find(R"("method":"terminal/create")"));
  const auto asked = Frame::parse(question, {});
  ASSERT_TRUE(asked);
  auto answer = Frame::parse(rpc::result(asked->id(), R"({"terminalId":"t"})"), {});
  session->submit(client.id, std::move(*answer));
  wait_for(client, R"("id":7)");
  EXPECT_EQ(count(client, "terminalId"), 1);
}

// It is asked at the end of the replay, as one that attaches again after it has lost its
// connection.
TEST_F(AttachAgain, IsAskedWhatComesWhileItCatchesUp) {
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "7", R"(/call terminal/create {"command":"ls"})");
  attach_again(*session, client, "8");
  wait_for(client, R"("method":"terminal/create")");
}

}  // namespace
}  // namespace relay
