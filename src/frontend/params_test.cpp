#include "frontend/params.hpp"

#include <gmock/gmock.h>

namespace relay::frontend {
namespace {

TEST(NewSessionParams, TakeEitherNameOfTheDirectory) {
  EXPECT_EQ(read_new_session(R"({"workingDirectory":"/a"})")->working_directory, "/a");
  EXPECT_EQ(read_new_session(R"({"cwd":"/b"})")->working_directory, "/b");
  EXPECT_EQ(read_new_session("")->working_directory, "");
  EXPECT_EQ(read_new_session("null")->working_directory, "");
}

TEST(NewSessionParams, RefuseWhatCannotBeADirectory) {
  for (const char* params :
       {R"({"cwd":"relative"})", R"({"cwd":7})", "[]", R"({"cwd":"/a\u0000b"})",
        R"({"mcpServers":{}})", R"({"env":7})", R"({"env":[{"name":"A"}]})"}) {
    const auto request = read_new_session(params);
    ASSERT_FALSE(request) << params;
    EXPECT_EQ(request.error().type, ErrorType::kInvalidParams);
  }
}

TEST(NewSessionParams, CarryMcpServersAsTheyAreSpelled) {
  EXPECT_EQ(read_new_session(R"({"mcpServers": [{"name":"x","n":1e2}]})")->session_params,
            R"({"mcpServers": [{"name":"x","n":1e2}]})");
}

TEST(NewSessionParams, CarryAllThatIsNotTheRelaysOwn) {
  EXPECT_EQ(
      read_new_session(R"({"cwd":"/w","_meta":{"systemPrompt":"be brief"},"agent":"a",)"
                       R"("additionalDirectories":["/x"],"env":{},"later":1,"sessionId":"s"})")
          ->session_params,
      R"({"_meta":{"systemPrompt":"be brief"},"additionalDirectories":["/x"],"later":1})");
}

TEST(NewSessionParams, TakeVariablesInEitherForm) {
  EXPECT_THAT(read_new_session(R"({"env":{"MODEL":"m"}})")->environment,
              testing::ElementsAre(testing::Pair("MODEL", "m")));
  EXPECT_THAT(read_new_session(R"({"env":[{"name":"MODEL","value":"m"}]})")->environment,
              testing::ElementsAre(testing::Pair("MODEL", "m")));
  EXPECT_FALSE(read_new_session(R"({"env":{"MODEL":"a\u0000b"}})"));
}

TEST(NewSessionParams, NameAnAgent) {
  EXPECT_EQ(read_new_session(R"({"agent":"claude"})")->agent, "claude");
  EXPECT_EQ(read_new_session(R"({"agent":null})")->agent, "");
  EXPECT_FALSE(read_new_session(R"({"agent":1})"));
}

TEST(HistoryParams, HaveBounds) {
  EXPECT_FALSE(read_history("{}"));
  EXPECT_FALSE(read_history(R"({"sessionId":"s","after":-1})"));
  EXPECT_FALSE(read_history(R"({"sessionId":"s","limit":0})"));
  EXPECT_FALSE(read_history(R"({"sessionId":"s","limit":"x"})"));
  EXPECT_EQ(read_history(R"({"sessionId":"s","limit":100000})")->limit, kMaxHistoryPage);
}

TEST(ForkParams, NameTheSessionAndWhatItsForkShallBe) {
  const auto request =
      read_fork(R"({"sessionId":"s","cwd":"/w","env":{"A":"b"},"mcpServers":[],"_meta":{"x":1}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->session_id, "s");
  EXPECT_EQ(request->session.working_directory, "/w");
  EXPECT_EQ(request->session.environment.size(), 1U);
  EXPECT_EQ(request->session.session_params, R"({"mcpServers":[],"_meta":{"x":1}})");
  EXPECT_TRUE(read_fork(R"({"sessionId":"s"})")) << "the rest is as it is";
  EXPECT_TRUE(read_fork(R"({"sessionId":"s","cursorId":null})"));
}

TEST(ForkParams, ThatCantBeMetAreRefused) {
  for (const char* text :
       {R"({"cwd":"/w"})", R"({"sessionId":1})", R"({"sessionId":"s","cwd":"w"})",
        R"({"sessionId":"s","agent":"other"})", R"({"sessionId":"s","cursorId":"c"})"}) {
    EXPECT_FALSE(read_fork(text)) << text;
  }
}

TEST(AnswerParams, NeedExactlyOneAnswer) {
  EXPECT_FALSE(read_answer(R"({"sessionId":"s","requestId":1})"));
  EXPECT_FALSE(read_answer(R"({"sessionId":"s","requestId":1,"result":{},"error":{}})"));
  EXPECT_FALSE(read_answer(R"({"sessionId":"s","result":{}})"));
  const auto answer = read_answer(R"({"sessionId":"s","requestId":4,"result":{"a": 1}})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->member, "result");
  EXPECT_EQ(answer->json, R"({"a": 1})");
}

TEST(AgentRequestParams, AreAMethodOfTheAgentAndItsParams) {
  const auto request =
      read_agent_request(R"({"sessionId":"s","method":"_x\/y","params":{"a": 1}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->session_id, "s");
  EXPECT_EQ(request->method, "_x/y");
  EXPECT_EQ(request->params, R"({"a": 1})");
  EXPECT_EQ(read_agent_request(R"({"sessionId":"s","method":"m"})")->params, "{}");
  EXPECT_EQ(read_agent_request(R"({"sessionId":"s","method":"m","params":null})")->params, "{}");
  for (const char* text :
       {R"({"method":"m"})", R"({"sessionId":"s"})", R"({"sessionId":"s","method":1})",
        R"({"sessionId":"s","method":"m","params":[]})",
        R"({"sessionId":"s","method":"session\/prompt"})",
        R"({"sessionId":"s","method":"session/fork"})",
        R"({"sessionId":"s","method":"session/request"})"}) {
    EXPECT_FALSE(read_agent_request(text)) << text;
  }
}

TEST(SequenceText, IsAWholeNumber) {
  EXPECT_EQ(read_sequence("12"), 12);
  for (const char* text : {"", "-1", "1x", "99999999999999999999", " 1"}) {
    EXPECT_EQ(read_sequence(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace relay::frontend
