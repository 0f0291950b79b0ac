// What a bridge holds at most.
#include "bridge/testing/bridge_fixture.hpp"

namespace relay::bridge {
namespace {

using testing::BridgeTest;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::result;
using ::testing::SizeIs;

class BridgeBoundsTest : public BridgeTest {
 protected:
  BridgeBoundsTest() : BridgeTest({3, 2000}) {}

  // A message of so many bytes.
  static std::string padded(const std::string& head, std::size_t bytes) {
    const std::string begin = R"({"jsonrpc":"2.0",)" + head + R"(,"params":{"sessionId":"s","x":")";
    const std::string end = "\"}}";
    return begin + std::string(bytes - begin.size() - end.size(), 'x') + end;
  }
  void list(int id, std::size_t bytes = 100) {
    bridge_.from_editor(
        padded(R"("id":)" + std::to_string(id) + R"(,"method":"session/list")", bytes));
  }
  void cancel(std::size_t bytes = 100) {
    bridge_.from_editor(padded(R"("method":"session/cancel")", bytes));
  }
  void note() { bridge_.from_editor(padded(R"("method":"_x/note")", 100)); }
};

TEST_F(BridgeBoundsTest, RefusesRequestsBeyondItsBytes) {
  initialize();
  list(1, 2001);
  EXPECT_THAT(shown(), ElementsAre(HasSubstr("too much waits for the relay: 0 messages")));
  list(2, 2000);
  EXPECT_THAT(shown(), IsEmpty());
  list(3);
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":3,"error")")));
  EXPECT_THAT(sent(), SizeIs(1));
}

TEST_F(BridgeBoundsTest, CountsTheIdsThatItKeeps) {
  initialize();
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":")" + std::string(1900, 'i') +
                      R"(","method":"session/list"})");
  EXPECT_THAT(shown(), IsEmpty());
  list(2);
  EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":2,"error")")));
}

TEST_F(BridgeBoundsTest, RefusesRequestsBeyondItsNumber) {
  initialize();
  for (int id = 1; id <= 3; ++id) list(id);
  EXPECT_THAT(shown(), IsEmpty());
  list(4);
  EXPECT_THAT(shown(), ElementsAre(HasSubstr("too much waits for the relay: 3 messages")));
}

// The relay is away, and the turn that is cancelled would be asked for at the reconnect.
TEST_F(BridgeBoundsTest, LetsCancellationsInUpToTwiceItsNumber) {
  initialize();
  bridge_.dropped({});
  for (int id = 1; id <= 3; ++id) list(id);
  note();
  EXPECT_THAT(bridge_.take_notes(), SizeIs(1));
  for (int count = 0; count < 3; ++count) cancel();
  EXPECT_THAT(bridge_.take_notes(), IsEmpty());
  cancel();
  EXPECT_THAT(bridge_.take_notes(), SizeIs(1));
  reconnect("5");
  const Lines all = sent();
  ASSERT_THAT(all, SizeIs(6));
  EXPECT_THAT(Lines(all.begin() + 3, all.end()), Each(HasSubstr("session/cancel")));
}

TEST_F(BridgeBoundsTest, LetsCancellationsInUpToTwiceItsBytes) {
  initialize();
  cancel(1500);
  cancel(1500);
  cancel(1001);
  EXPECT_THAT(bridge_.take_notes(), SizeIs(1));
  cancel(1000);
  EXPECT_THAT(bridge_.take_notes(), IsEmpty());
  EXPECT_THAT(sent(), SizeIs(3));
}

// Answers to a relay that is away.
TEST_F(BridgeBoundsTest, KeepsAnswersUpToTwiceItsBytes) {
  make_session();
  for (const char* id : {"7", "8"}) {
    bridge_.from_relay(R"({"jsonrpc":"2.0","id":)" + std::string(id) +
                       R"(,"method":"session/request_permission","params":{"sessionId":"s"}})");
  }
  EXPECT_THAT(shown(), SizeIs(2));
  bridge_.dropped({});
  const auto answer = [this](int id, std::size_t bytes) {
    const std::string empty = result(std::to_string(id), R"({"x":""})");
    const std::string text(bytes - empty.size(), 'x');
    bridge_.from_editor(result(std::to_string(id), R"({"x":")" + text + "\"}"));
  };
  answer(1, 2000);
  answer(2, 2001);
  EXPECT_THAT(bridge_.take_notes(), ElementsAre(HasSubstr("an answer was dropped")));
  answer(2, 2000);
  EXPECT_THAT(bridge_.take_notes(), IsEmpty());
}

class BridgeQuestionsTest : public BridgeTest {
 protected:
  void ask(int id) {
    bridge_.from_relay(R"({"jsonrpc":"2.0","id":)" + std::to_string(5000 + id) +
                       R"(,"method":"session/request_permission","params":{"sessionId":"s"}})");
  }
  void withdraw(int id) {
    bridge_.from_relay(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":)" +
                       std::to_string(5000 + id) + "}}");
  }
  Lines answered(int id) {
    bridge_.from_editor(result(std::to_string(id), "{}"));
    return sent();
  }
};

// An agent that withdraws its request still waits for the answer.
TEST_F(BridgeQuestionsTest, HaveTheirAnswersSentAlsoWhenTheyWereWithdrawn) {
  make_session();
  ask(1);
  withdraw(1);
  EXPECT_THAT(answered(1), ElementsAre(result("5001", "{}")));
}

TEST_F(BridgeQuestionsTest, AreForgottenWhenTheyWereWithdrawnAndAreTooMany) {
  make_session();
  for (int id = 1; id <= 1024; ++id) {
    ask(id);
    if (id != 1) withdraw(id);
  }
  ask(1025);
  EXPECT_THAT(answered(1), ElementsAre(result("5001", "{}"))) << "the relay waits for it";
  EXPECT_THAT(answered(2), IsEmpty()) << "the oldest of the others";
  EXPECT_THAT(answered(3), ElementsAre(result("5003", "{}")));
  EXPECT_THAT(answered(1025), ElementsAre(result("6025", "{}")));
}

}  // namespace
}  // namespace relay::bridge
