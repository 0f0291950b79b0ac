#include "session/handshake.hpp"

#include "protocol/rpc.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

using Progress = Handshake::Progress;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class HandshakeTest : public testing::Test {
 protected:
  HandshakeTest() : handshake_(ids_, options()) {}
  static HandshakeOptions options() {
    HandshakeOptions chosen;
    chosen.cwd = "/w \"x\"";
    chosen.mcp_servers = R"([{"name":"m"}])";
    chosen.client_capabilities = R"({"terminal":true})";
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
