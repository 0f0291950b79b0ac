// Sub-agents: their sessions are named by clients, and are in the stream of the one they work for.
#include "bridge/testing/bridge_fixture.hpp"

namespace relay::bridge {
namespace {

using ::testing::AllOf;
using testing::BridgeTest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kGreeting;
using testing::result;
using ::testing::SizeIs;

const std::string kParent = "sess_0123456789abcdef0123456789abcdef";
const std::string kChild = kParent + ".child";

class BridgeChildTest : public BridgeTest {
 protected:
  // The editor has the session kParent, made by its call p-2.
  void make_parent() {
    initialize();
    make("p-2", kParent);
  }
  void make(const std::string& id, const std::string& session) {
    bridge_.from_editor(R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/w"}})");
    ASSERT_THAT(sent(), SizeIs(1));
    bridge_.from_relay(result('"' + id + '"', R"({"sessionId":")" + session + "\"}"));
    ASSERT_THAT(shown(), SizeIs(1));
  }
  void notify(const std::string& method, int number, const std::string& session,
              const std::string& rest = "") {
    bridge_.from_relay(R"({"jsonrpc":"2.0","method":")" + method +
                       R"(","params":{"_meta":{"acp-relay/seq":)" + std::to_string(number) +
                       R"(},"sessionId":")" + session + "\"" + rest + "}}");
  }
  void update(int number, const std::string& session) { notify("session/update", number, session); }
  static std::string about_child(const std::string& begin, const std::string& rest = "") {
    return R"({"jsonrpc":"2.0",)" + begin + R"(,"params":{"sessionId":")" + kChild + "\"" + rest +
           "}}";
  }
};

TEST_F(BridgeChildTest, IsReplayedByALoadOfTheSessionItWorksFor) {
  make_parent();
  const auto tell = [this] {
    update(1, kParent);
    update(2, kChild);
    update(3, kChild);
  };
  tell();
  EXPECT_THAT(shown(), SizeIs(3));
  tell();
  EXPECT_THAT(shown(), IsEmpty());
  bridge_.from_editor(R"({"jsonrpc":"2.0","id":5,"method":"session/load","params":{"sessionId":")" +
                      kParent + R"(","cwd":"/w"}})");
  EXPECT_THAT(sent(), SizeIs(1));
  tell();
  EXPECT_THAT(shown(), SizeIs(3));
  bridge_.from_relay(result(R"("p-3")", R"({"_meta":{"acp-relay/seq":3}})"));
  shown();
  tell();
  EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(BridgeChildTest, IsTakenBackByAGap) {
  make_parent();
  update(4, kParent);
  update(5, kChild);
  bridge_.from_relay(R"({"jsonrpc":"2.0","method":"_acp-relay/gap","params":{"sessionId":")" +
                     kParent + R"(","from":4,"to":5}})");
  shown();
  update(4, kChild);
  EXPECT_THAT(shown(), SizeIs(1)) << "the relay counts on from there";
}

TEST_F(BridgeChildTest, IsSpokenToWhenTheSessionIsResumed) {
  const struct {
    std::string message, passes;
  } table[] = {
      {about_child(R"("method":"session/cancel")"), "session/cancel"},
      {about_child(R"("id":7,"method":"session/set_mode")"), "session/set_mode"},
  };
  for (const auto& row : table) {
    bridge_ = Bridge("p");
    make_parent();
    update(4, kChild);
    shown();
    bridge_.dropped({});
    bridge_.from_editor(row.message);
    bridge_.connected();
    const Lines greeting = sent();
    ASSERT_THAT(greeting, ElementsAre(HasSubstr("initialize")));
    const bool is_call = row.passes != "session/cancel";
    bridge_.from_relay(result(is_call ? R"("p-4")" : R"("p-3")", kGreeting));
    EXPECT_THAT(sent(), ElementsAre(AllOf(HasSubstr("session/resume"), HasSubstr(kParent + '"'),
                                          HasSubstr(R"("acp-relay/after":4)"))));
    bridge_.from_relay(result(is_call ? R"("p-5")" : R"("p-4")", "{}"));
    EXPECT_THAT(sent(), ElementsAre(AllOf(HasSubstr(row.passes), HasSubstr(kChild))));
  }
}

TEST_F(BridgeChildTest, HasItsRequestsAskedForWithTheSession) {
  make_parent();
  bridge_.from_editor(about_child(R"("id":7,"method":"session/set_mode")"));
  EXPECT_THAT(sent(), SizeIs(1));
  reconnect("4");
  EXPECT_THAT(shown(), IsEmpty()) << "what became of it can be known";
  EXPECT_THAT(sent(), ElementsAre(HasSubstr(R"("acp-relay/requests":["p-3"])")));
}

TEST_F(BridgeChildTest, TakesNoRoomFromSessions) {
  make_parent();
  constexpr int kChildren = 10'050;
  for (int i = 1; i <= kChildren; ++i) update(i, kChild + std::to_string(i));
  EXPECT_THAT(shown(), SizeIs(kChildren));
  const std::string later = "sess_00000000000000000000000000000000";
  make("p-3", later);
  reconnect("4");
  EXPECT_THAT(sent(), AllOf(SizeIs(2), Contains(HasSubstr(later))));
}

TEST_F(BridgeChildTest, IsNotWhatTheEditorSaid) {
  make_parent();
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":7,"method":"session/prompt","params":{"sessionId":")" + kParent +
      R"(","prompt":[{"t":"go"}]}})");
  sent();
  reconnect("4");
  sent();
  bridge_.from_relay(result(R"("p-5")", R"({"_meta":{"acp-relay/requests":["p-3"]}})"));
  const std::string said =
      R"(,"update":{"sessionUpdate":"user_message_chunk","content":{"t":"go"}})";
  notify("session/update", 1, kChild, said);
  EXPECT_THAT(shown(), SizeIs(1));
  notify("session/update", 2, kParent, said);
  EXPECT_THAT(shown(), IsEmpty()) << "the editor's own";
}

TEST_F(BridgeChildTest, IsNeitherOpenedNorEnded) {
  for (const std::string method : {"session/load", "session/resume", "session/close"}) {
    bridge_ = Bridge("p");
    make_parent();
    update(4, kChild);
    shown();
    bridge_.from_editor(about_child(R"("id":7,"method":")" + method + '"'));
    EXPECT_THAT(sent(), SizeIs(1));
    reconnect("4");
    EXPECT_THAT(sent(), ElementsAre(AllOf(HasSubstr("session/resume"), HasSubstr(kParent + '"')),
                                    AllOf(HasSubstr(method), HasSubstr(kChild))));
    bridge_.from_relay(
        R"({"jsonrpc":"2.0","id":"p-3","error":{"code":-32002,"message":"no such session"}})");
    bridge_.from_relay(result(R"("p-5")", "{}"));
    EXPECT_THAT(shown(), ElementsAre(HasSubstr(R"("id":7,"error")"))) << method;
    update(4, kChild);
    EXPECT_THAT(shown(), IsEmpty()) << method;
  }
}

TEST_F(BridgeChildTest, HasItsQuestionsForgottenWithTheSession) {
  make_parent();
  bridge_.from_relay(about_child(R"("id":9,"method":"session/request_permission")"));
  notify("_acp-relay/session_closed", 5, kParent, R"(,"cause":"agent_exited: code 1")");
  EXPECT_THAT(shown(), SizeIs(2));
  bridge_.from_editor(result("1", R"("yes")"));
  EXPECT_THAT(sent(), IsEmpty()) << "nobody waits for it";
}

}  // namespace
}  // namespace relay::bridge
