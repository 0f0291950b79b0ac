#include "cli/rpc.hpp"

#include "cli/error_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Rpc, WritesRequests) {
  EXPECT_EQ(request_text(7, "session/close", {{"sessionId", "s"}}),
            R"({"jsonrpc":"2.0","id":7,"method":"session/close","params":{"sessionId":"s"}})");
}

TEST(Rpc, TellsKindsApart) {
  const std::vector<std::pair<const char*, MessageKind>> table{
      {R"({"id":1,"method":"a"})", MessageKind::kRequest},
      {R"({"method":"a"})", MessageKind::kNotification},
      {R"({"id":1,"result":null})", MessageKind::kResponse},
      {R"({"id":null,"error":{}})", MessageKind::kResponse},
      {R"({"id":1})", MessageKind::kOther},
      {R"({"method":7})", MessageKind::kOther},
      {R"({})", MessageKind::kOther}};
  for (const auto& [text, kind] : table)
    EXPECT_EQ(kind_of(parse_object(text).value()), kind) << text;
}

TEST(Rpc, ReadsOnlyObjects) {
  for (const char* text : {"", "42", "[]", "{", "{}x"}) EXPECT_FALSE(parse_object(text)) << text;
}

// A result holds updates, and those are as deep as they may be.
TEST(Rpc, ReadsWhatIsDeep) {
  EXPECT_TRUE(parse_object("{\"a\":" + std::string(1100, '[') + std::string(1100, ']') + "}"));
}

TEST(Rpc, CutsLinesWhereverTheBytesAreCut) {
  const std::string stream = "{\"a\":1}\n\r\n{\"b\":2}\r\n\nend";
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    Lines lines;
    std::vector<std::string> all;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      const auto part = lines.feed(stream.substr(at, step));
      ASSERT_TRUE(part);
      all.insert(all.end(), part->begin(), part->end());
    }
    EXPECT_THAT(all, ElementsAre("{\"a\":1}", "{\"b\":2}"));
    EXPECT_EQ(lines.rest(), "end");
  }
}

Failure failure_of(const char* response) {
  const auto result = result_of(parse_object(response).value());
  return result ? Failure{ExitCode::kOk, "no failure"} : result.error();
}

TEST(ErrorView, ShowsExplanationCausesActionsAndState) {
  const Failure failure = failure_of(R"({"id":1,"error":{"code":-32000,"message":"short","data":{
      "error_type":"agent_exited","explanation":"The agent ended.","possible_causes":["a bug"],
      "suggested_actions":["look at its stderr"],"recoverable":true,
      "relevant_state":{"exit_code":3,"stderr":"one\ntwo\u001b[2J\n"}}}})");
  EXPECT_EQ(failure.code, ExitCode::kError);
  EXPECT_EQ(failure.text,
            "agent_exited: The agent ended.\n"
            "  possible causes:\n    - a bug\n"
            "  what to do:\n    - look at its stderr\n"
            "  known:\n    - exit_code: 3\n    - stderr: one\n      two?[2J");
}

TEST(ErrorView, MakesDoWithLess) {
  EXPECT_EQ(failure_of(R"({"id":1,"error":{"code":-32603,"message":"no"}})").text,
            "error -32603: no");
  EXPECT_EQ(failure_of(R"({"id":1,"error":{"data":[1],"message":7}})").text,
            "error: the relay gave no explanation\n  data:\n    - [1]");
  EXPECT_EQ(
      failure_of(R"({"id":1,"error":{"code":-32603,"message":"Internal error","data":{
      "details":"quota used\nup","retry":7}}})")
          .text,
      "error -32603: Internal error\n  data:\n    - details: quota used\n      up\n    - retry: 7");
  EXPECT_EQ(failure_of(R"({"id":1,"error":{"code":-32603,"message":"no","data":null}})").text,
            "error -32603: no");
}

TEST(ErrorView, SaysWhatHelpsWhenTheAgentWantsALogin) {
  EXPECT_THAT(failure_of(R"({"id":1,"error":{"code":-32000,"message":"log in first"}})").text,
              AllOf(HasSubstr("log in first"), HasSubstr("agent.env (ANTHROPIC_API_KEY")));
}

TEST(ErrorView, KnowsWhenATokenIsWanted) {
  for (const char* type : {"unauthorized", "forbidden"}) {
    const std::string response =
        std::string(R"({"id":1,"error":{"data":{"error_type":")") + type + R"("}}})";
    EXPECT_EQ(failure_of(response.c_str()).code, ExitCode::kUnauthorized);
  }
}

}  // namespace
}  // namespace relay::cli
