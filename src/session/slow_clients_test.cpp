// Clients that do not take their messages, with a real agent: what becomes of them and their
// requests, and nobody else.
#include "session/session_fixture.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SlowClients : public SessionFixture {};

TEST_F(SlowClients, HoldsAnswersOfWhoCatchesUpUpToTheirBound) {
  options_.router.max_pending_bytes = 4'000;
  const auto session = create();
  const auto ask_nothing = [&](const Client& client, std::size_t id) {
    auto frame = Frame::parse(rpc::request(std::to_string(100 + id), "session/prompt", "{}"), {});
    session->submit(client.id, std::move(*frame));
  };
  Client& a = reading(attach(*session));
  ask_nothing(a, 0);
  wait_for(a, R"("id":100)");
  const std::size_t fit = 4'000 / (kHeldBytes + a.got.back().bytes.size());
  ASSERT_GE(fit, 2u);

  Client& modest = attach(*session, 0);
  Client& greedy = attach(*session, 0);
  for (std::size_t i = 0; i < fit; ++i) {
    ask_nothing(modest, i);
    ask_nothing(greedy, i);
  }
  EXPECT_EQ(greedy.outbox->end(), Outbox::End::kOpen);
  std::size_t elsewhere = 0;
  greedy.outbox->when_answers_drop([&](const Delivery&) { ++elsewhere; });
  ask_nothing(greedy, fit);
  EXPECT_EQ(elsewhere, fit + 1) << "each once, wherever it waited";
  EXPECT_EQ(greedy.outbox->end(), Outbox::End::kOverflow);
  reading(modest);
  for (std::size_t i = 0; i < fit; ++i) wait_for(modest, "\"id\":" + std::to_string(100 + i));
}

TEST_F(SlowClients, DropsASlowClientAndNobodyElse) {
  const auto session = create();
  Client& a = reading(attach(*session));
  Client& slow = attach(*session, std::nullopt, {1u << 20, 5});
  prompt(*session, a, "1", "/chunks 100 8");
  wait_for(a, R"("id":1)");
  EXPECT_EQ(slow.outbox->end(), Outbox::End::kOverflow);
  EXPECT_EQ(session->client_count(), 1u);
  EXPECT_EQ(metrics_.slow_clients, 1u);
  const auto chunks = std::count_if(a.got.begin(), a.got.end(), [](const Delivery& delivery) {
    return delivery.bytes.view().find("agent_message_chunk") != std::string_view::npos;
  });
  EXPECT_EQ(chunks, 100);
}

// What its connection can do with that is AcpStream's to say.
TEST_F(SlowClients, LeavesNoRequestOfASlowClientOpenWhoseConnectionGoesOn) {
  const auto session = create();
  Client& slow = attach(*session, std::nullopt, {1u << 20, 5});
  std::vector<std::string> answers;
  slow.outbox->when_answers_drop(
      [&](const Delivery& answer) { answers.emplace_back(answer.bytes.view()); });
  prompt(*session, slow, "1", "/chunks 1000 200");  // more than one read of its output
  prompt(*session, slow, R"("two")", "hello");
  run_until([&] { return session->client_count() == 0; });
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_THAT(answers[0], AllOf(HasSubstr(R"("id":1,)"), HasSubstr("slow_client")));
  EXPECT_THAT(answers[1], AllOf(HasSubstr(R"("id":"two",)"), HasSubstr("slow_client")));
}

}  // namespace
}  // namespace relay
