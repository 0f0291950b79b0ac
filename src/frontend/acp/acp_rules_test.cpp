#include "frontend/acp/acp_rules.hpp"

#include <gtest/gtest.h>

namespace relay::frontend {
namespace {

struct Posted {
  const char* what;
  const char* connection;
  const char* session;
  const char* message;
  const char* refused;  // empty: taken
};

class Post : public testing::TestWithParam<Posted> {};

TEST_P(Post, IsTakenOrRefused) {
  http::Request request;
  if (*GetParam().connection != 0) {
    request.headers.push_back({"acp-connection-id", GetParam().connection});
  }
  if (*GetParam().session != 0) request.headers.push_back({"ACP-Session-Id", GetParam().session});
  const auto frame = Frame::parse(GetParam().message, {});
  ASSERT_TRUE(frame);
  const auto refusal = refuse_message(request, *frame);
  EXPECT_EQ(refusal ? refusal->explanation : "", GetParam().refused) << GetParam().what;
  if (refusal) {
    EXPECT_EQ(refusal->status, 400);
    EXPECT_FALSE(refusal->remedy.empty());
  }
}

constexpr const char* kInitialize = R"({"jsonrpc":"2.0","id":1,"method":"initialize"})";
constexpr const char* kPrompt =
    R"({"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"sessionId":"s"}})";
constexpr const char* kLoad =
    R"({"jsonrpc":"2.0","id":1,"method":"session/load","params":{"sessionId":"s"}})";
constexpr const char* kMismatch =
    "Mismatched Acp-Session-Id: the header and params.sessionId differ";

INSTANTIATE_TEST_SUITE_P(
    Table, Post,
    testing::Values(
        Posted{"the first message", "", "", kInitialize, ""},
        Posted{"a second initialize", "c", "", kInitialize,
               "Initialize not allowed on existing connection"},
        Posted{"initialize without an id", "", "", R"({"jsonrpc":"2.0","method":"initialize"})",
               "initialize must be a request with an id"},
        Posted{"initialize with the id null", "", "",
               R"({"jsonrpc":"2.0","id":null,"method":"initialize"})",
               "initialize must be a request with an id"},
        Posted{"something else first", "", "", kLoad, "Missing Acp-Connection-Id"},
        Posted{"a prompt", "c", "s", kPrompt, ""},
        Posted{"a prompt without the header", "c", "", kPrompt, "Missing Acp-Session-Id"},
        Posted{"a prompt for another session", "c", "t", kPrompt, kMismatch},
        Posted{"load without the header", "c", "", kLoad, ""},
        Posted{"load with it", "c", "s", kLoad, ""},
        Posted{"load with another", "c", "t", kLoad, kMismatch},
        Posted{"a header alone", "c", "s", R"({"jsonrpc":"2.0","id":1,"method":"_x"})", ""},
        Posted{"an answer", "c", "", R"({"jsonrpc":"2.0","id":1,"result":{}})", ""}));

TEST(AgentPath, NamesTheAgent) {
  const std::vector<std::string> aliases{"/message", "/acp/ws"};
  EXPECT_EQ(acp_agent("/acp", aliases), "");
  EXPECT_EQ(acp_agent("/acp/ws", aliases), "");
  EXPECT_EQ(acp_agent("/message", aliases), "");
  EXPECT_EQ(acp_agent("/message", {}), std::nullopt);
  EXPECT_EQ(acp_agent("/agents/claude/acp", aliases), "claude");
  for (const char* path :
       {"/", "/acp/", "/agents//acp", "/agents/acp", "/agents/a/b/acp", "/agents/a/acp/", "/ACP",
        "/session/new", "/message/", "/agents/a/message"}) {
    EXPECT_EQ(acp_agent(path, aliases), std::nullopt) << path;
  }
}

TEST(Tokens, DoNotBelongIntoAnAddress) {
  http::Request request;
  request.query = {{"agent", "x"}};
  EXPECT_FALSE(has_token_in_query(request));
  request.query = {{"token", "x"}};
  EXPECT_TRUE(has_token_in_query(request));
}

TEST(Ids, OfSessionsAreKnownByTheirForm) {
  const std::string session = "sess_0123456789abcdef0123456789abcdef";
  const std::string child = session + "." + std::string(256, 'x');
  for (const std::string& id : {session, session + ".helper", child}) {
    EXPECT_TRUE(can_name_session(id)) << id;
  }
  for (const std::string& id : {std::string(), std::string("x"), session + ".", session + "0",
                                session + "/x", "x" + session, child + "x"}) {
    EXPECT_FALSE(can_name_session(id)) << id;
  }
}

TEST(RefusedFrames, HaveTheirStatus) {
  EXPECT_EQ(refused_frame_status(FrameError::Kind::kBatch), 501);
  EXPECT_EQ(refused_frame_status(FrameError::Kind::kNotJson), 400);
}

}  // namespace
}  // namespace relay::frontend
