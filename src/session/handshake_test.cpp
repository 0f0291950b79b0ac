#include "session/handshake.hpp"

#include "protocol/rpc.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using Progress = Handshake::Progress;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class HandshakeTest : public testing::Test {
 protected:
  HandshakeTest() : handshake_(ids_, options()) {}
  static HandshakeOptions options() {
    HandshakeOptions chosen;
    chosen.cwd = "/w \"x\"";
    chosen.session_params = R"({"mcpServers":[{"name":"m"}]})";
    chosen.greeting.client_capabilities = R"({"terminal":true})";
    return chosen;
  }
  Progress take(std::string text) {
    auto frame = Frame::parse(std::move(text), {});
    EXPECT_TRUE(frame);
    return handshake_.take(std::move(*frame));
  }

  RequestIds ids_;
  Handshake handshake_;
};

TEST_F(HandshakeTest, InitializesAndThenMakesTheSession) {
  const std::string first(handshake_.initialize().view());
  EXPECT_THAT(first, HasSubstr(R"("id":1,"method":"initialize")"));
  EXPECT_THAT(first, HasSubstr(R"("protocolVersion":1)"));
  EXPECT_THAT(first, HasSubstr(R"("clientCapabilities":{"terminal":true})"));
  EXPECT_EQ(handshake_.phase(), "initialize");
  EXPECT_EQ(take(rpc::result("1", R"({"protocolVersion":1,"big":1e400})")), Progress::kSend);
  EXPECT_EQ(handshake_.initialize_result(), R"({"protocolVersion":1,"big":1e400})");
  EXPECT_EQ(handshake_.next_message().view(),
            rpc::request("2", "session/new", R"({"cwd":"/w \"x\"","mcpServers":[{"name":"m"}]})"));
  EXPECT_EQ(handshake_.phase(), "session/new");
  EXPECT_FALSE(handshake_.ready());
  EXPECT_EQ(take(rpc::result("2", R"({"sessionId":"inner","modes":{}})")), Progress::kReady);
  EXPECT_TRUE(handshake_.ready());
  EXPECT_EQ(handshake_.agent_session(), "inner");
}

TEST_F(HandshakeTest, KeepsTheAgentsSpellingOfItsId) {
  take(rpc::result("1", "{}"));
  EXPECT_EQ(take(rpc::result("2", R"({"sessionId":"a\/b\u0063"})")), Progress::kReady);
  EXPECT_EQ(handshake_.agent_session(), R"(a\/b\u0063)");
}

TEST_F(HandshakeTest, FindsTheIdHoweverDeepTheRestIs) {
  take(rpc::result("1", "{}"));
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_EQ(
      take(rpc::result("2", R"({"_meta":{"sessionId":"no","x":)" + deep + R"(},"sessionId":"s"})")),
      Progress::kReady);
  EXPECT_EQ(handshake_.agent_session(), "s");
}

TEST_F(HandshakeTest, KeepsWhatComesTooEarlyInOrder) {
  EXPECT_EQ(take(rpc::notification("_x/first", "{}")), Progress::kWaiting);
  take(rpc::result("1", "{}"));
  EXPECT_EQ(take(rpc::request("1", "x/ask", "{}")), Progress::kWaiting);
  EXPECT_EQ(take(rpc::result("77", "{}")), Progress::kWaiting) << "an answer to nothing";
  EXPECT_EQ(take(rpc::result("1", "{}")), Progress::kWaiting) << "answered twice";
  EXPECT_EQ(take(rpc::result("2", R"({"sessionId":"s"})")), Progress::kReady);
  const auto early = handshake_.take_early();
  ASSERT_THAT(early, SizeIs(2));
  EXPECT_EQ(early[0].method(), "_x/first");
  EXPECT_EQ(early[1].method(), "x/ask");
}

TEST_F(HandshakeTest, BoundsWhatComesTooEarly) {
  for (int i = 0; i < 2000; ++i) take(rpc::notification("_x/flood", "{}"));
  EXPECT_THAT(handshake_.take_early(), SizeIs(1024));
}

TEST_F(HandshakeTest, KnowsAnswersHoweverTheirIdsAreSpelled) {
  EXPECT_EQ(take(rpc::result("1.0", "{}")), Progress::kSend);
  EXPECT_EQ(take(rpc::result("\"2\"", R"({"sessionId":"s"})")), Progress::kReady);
}

TEST_F(HandshakeTest, FailsWithAnErrorThatHasNoId) {
  EXPECT_EQ(take(rpc::plain_error("null", -32700, "no JSON")), Progress::kFailed);
  EXPECT_THAT(handshake_.failure().explanation, HasSubstr("no JSON"));
}

TEST(HandshakeEarly, IsBoundedInBytes) {
  RequestIds ids;
  HandshakeOptions options;
  options.max_early_bytes = 200;
  Handshake handshake(ids, options);
  const auto notify = [&](std::size_t bytes) {
    std::string text = rpc::notification("_x", R"({"a":""})");
    text.insert(text.find("\"\"") + 1, std::string(bytes - text.size(), 'x'));
    return handshake.take(std::move(*Frame::parse(std::move(text), {})));
  };
  EXPECT_EQ(notify(100), Progress::kWaiting);
  EXPECT_EQ(notify(100), Progress::kWaiting);
  EXPECT_EQ(notify(60), Progress::kFailed);
  EXPECT_EQ(handshake.failure().type, ErrorType::kAgentProtocolError);
}

TEST_F(HandshakeTest, FailsWithTheAgentsError) {
  EXPECT_EQ(take(rpc::plain_error("1", -32603, "boom")), Progress::kFailed);
  EXPECT_EQ(handshake_.failure().type, ErrorType::kAgentStartFailed);
  EXPECT_THAT(handshake_.failure().explanation, HasSubstr("initialize"));
  EXPECT_THAT(handshake_.failure().explanation, HasSubstr("boom"));
}

TEST_F(HandshakeTest, FailsWhenTheSessionWasRefused) {
  take(rpc::result("1", "{}"));
  EXPECT_EQ(take(rpc::plain_error("2", -32000, "log in")), Progress::kFailed);
  EXPECT_THAT(handshake_.failure().explanation, HasSubstr("session/new"));
  EXPECT_THAT(handshake_.failure().suggested_actions, testing::Not(IsEmpty()));
}

HandshakeOptions returning() {
  HandshakeOptions options;
  options.cwd = "/w";
  options.previous_session = "old";
  return options;
}
Handshake::Progress give(Handshake& handshake, std::string text) {
  return handshake.take(*Frame::parse(std::move(text), {}));
}

TEST(HandshakeReturn, ResumesWhereTheAgentCan) {
  RequestIds ids;
  Handshake handshake(ids, returning());
  give(handshake, rpc::result("1", R"({"agentCapabilities":{"loadSession":true,)"
                                   R"("sessionCapabilities":{"resume":{}}}})"));
  EXPECT_EQ(
      handshake.next_message().view(),
      rpc::request("2", "session/resume", R"({"sessionId":"old","mcpServers":[],"cwd":"/w"})"));
  EXPECT_EQ(give(handshake, rpc::result("2", "null")), Progress::kReady);
  EXPECT_EQ(handshake.agent_session(), "old");
  EXPECT_TRUE(handshake.remembers());
}

TEST(HandshakeReturn, PassesTheTraceOfTheClientsRequestOn) {
  RequestIds ids;
  HandshakeOptions options = returning();
  options.session_params = R"({"_meta":{"traceparent":"p", "tracestate":"s"}})";
  Handshake handshake(ids, options);
  const auto carries = HasSubstr(R"("_meta":{"traceparent":"p", "tracestate":"s"})");
  EXPECT_THAT(handshake.initialize().view(), testing::Not(HasSubstr("_meta")))
      << "it tells of the client, not of the request";
  give(handshake, rpc::result("1", R"({"agentCapabilities":{"loadSession":true}})"));
  EXPECT_EQ(handshake.phase(), "session/load");
  EXPECT_THAT(handshake.next_message().view(), carries);
  give(handshake, rpc::plain_error("2", -32603, "unknown"));
  EXPECT_EQ(handshake.phase(), "session/new");
  EXPECT_THAT(handshake.next_message().view(), carries);
}

TEST(HandshakeReturn, LoadsAndDropsWhatTheAgentRepeats) {
  RequestIds ids;
  Handshake handshake(ids, returning());
  give(handshake, rpc::result("1", R"({"agentCapabilities":{"loadSession":true,)"
                                   R"("sessionCapabilities":{"resume":null}}})"));
  EXPECT_EQ(handshake.phase(), "session/load");
  give(handshake, rpc::notification("session/update", "{}"));
  give(handshake, rpc::notification("_x/news", "{}"));
  EXPECT_EQ(give(handshake, rpc::result("2", "{}")), Progress::kReady);
  EXPECT_THAT(handshake.take_early(), SizeIs(1));
  EXPECT_TRUE(handshake.remembers());
}

TEST(HandshakeReturn, BeginsAnewWhenTheAgentRefusesOrCannot) {
  for (const std::string can : {R"({"agentCapabilities":{"loadSession":true}})",
                                R"({"agentCapabilities":{"loadSession":false}})", "{}"}) {
    RequestIds ids;
    Handshake handshake(ids, returning());
    give(handshake, rpc::result("1", can));
    std::string id = "2";
    if (handshake.phase() == "session/load") {
      EXPECT_EQ(give(handshake, rpc::plain_error("2", -32002, "unknown")), Progress::kSend);
      id = "3";
    }
    EXPECT_EQ(handshake.phase(), "session/new") << can;
    EXPECT_EQ(give(handshake, rpc::result(id, R"({"sessionId":"fresh"})")), Progress::kReady);
    EXPECT_EQ(handshake.agent_session(), "fresh");
    EXPECT_FALSE(handshake.remembers());
  }
}

HandshakeOptions forking() {
  HandshakeOptions options;
  options.cwd = "/w";
  options.previous_session = "old";
  options.fork = true;
  return options;
}

TEST(HandshakeFork, AsksForASessionOfItsOwn) {
  RequestIds ids;
  Handshake handshake(ids, forking());
  handshake.take(*Frame::parse(
      rpc::result("1", R"({"agentCapabilities":{"sessionCapabilities":{"fork":{},"resume":{}}}})"),
      {}));
  EXPECT_EQ(handshake.next_message().view(),
            rpc::request("2", "session/fork", R"({"sessionId":"old","mcpServers":[],"cwd":"/w"})"));
  const auto last = handshake.take(*Frame::parse(rpc::result("2", R"({"sessionId":"new"})"), {}));
  EXPECT_EQ(last, Progress::kReady);
  EXPECT_EQ(handshake.agent_session(), "new");
  EXPECT_TRUE(handshake.remembers());
}

TEST(HandshakeFork, IsNothingElseWhenTheAgentCantOrRefuses) {
  for (const char* unable : {R"({"agentCapabilities":{"sessionCapabilities":{"fork":{}}}})",
                             R"({"agentCapabilities":{"loadSession":true}})", "{}"}) {
    RequestIds ids;
    Handshake handshake(ids, forking());
    EXPECT_EQ(handshake.take(*Frame::parse(rpc::result("1", unable), {})), Progress::kFailed);
    EXPECT_EQ(handshake.failure().type, ErrorType::kMethodNotFound);
  }
  RequestIds ids;
  Handshake handshake(ids, forking());
  handshake.take(*Frame::parse(
      rpc::result(
          "1", R"({"agentCapabilities":{"loadSession":true,"sessionCapabilities":{"fork":{}}}})"),
      {}));
  const char* const refusal =
      R"({"jsonrpc":"2.0","id":2,"error":{"code":-32002,"message":"gone"}})";
  EXPECT_EQ(handshake.take(*Frame::parse(refusal, {})), Progress::kFailed);
  EXPECT_THAT(handshake.failure().explanation, HasSubstr("session/fork with an error: gone"));
}

TEST(HandshakeLogin, ComesBeforeTheSession) {
  RequestIds ids;
  HandshakeOptions options;
  options.greeting.authenticate = R"({"methodId":"key"})";
  Handshake handshake(ids, std::move(options));
  give(handshake, rpc::result("1", "{}"));
  EXPECT_EQ(handshake.next_message().view(),
            rpc::request("2", "authenticate", R"({"methodId":"key"})"));
  give(handshake, rpc::result("2", "{}"));
  EXPECT_EQ(handshake.phase(), "session/new");
}

TEST(HandshakeLogin, ThatIsRefusedPassesTheAgentsError) {
  RequestIds ids;
  HandshakeOptions options;
  options.greeting.authenticate = "{}";
  Handshake handshake(ids, std::move(options), Handshake::Extent::kIntroduction);
  give(handshake, rpc::result("1", "{}"));
  EXPECT_EQ(give(handshake, rpc::plain_error("2", -32000, "no")), Progress::kFailed);
  EXPECT_EQ(rpc::error_object(handshake.failure(), rpc::Dialect::kAcp),
            R"({"code":-32000,"message":"no"})");
}

TEST(HandshakeIntroduction, EndsWithoutASession) {
  RequestIds ids;
  Handshake handshake(ids, {}, Handshake::Extent::kIntroduction);
  EXPECT_EQ(give(handshake, rpc::result("1", R"({"agentInfo":{}})")), Progress::kReady);
  EXPECT_EQ(handshake.initialize_result(), R"({"agentInfo":{}})");
}

TEST(HandshakeAnswer, WithoutASessionIdIsAProtocolError) {
  for (const std::string result :
       {"{}", "null", "[]", "\"s\"", R"({"sessionId":""})", R"({"sessionId":5})"}) {
    RequestIds ids;
    Handshake handshake(ids, {});
    handshake.take(*Frame::parse(rpc::result("1", "{}"), {}));
    EXPECT_EQ(handshake.take(*Frame::parse(rpc::result("2", result), {})), Progress::kFailed)
        << result;
    EXPECT_EQ(handshake.failure().type, ErrorType::kAgentProtocolError);
  }
}

}  // namespace
}  // namespace relay
