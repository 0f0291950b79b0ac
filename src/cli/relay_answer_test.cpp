#include "cli/relay_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;

TEST(Token, IsTrimmedAndChecked) {
  EXPECT_EQ(clean_token(" abc\r\n", "x").value(), "abc");
  for (const char* bad : {"", " \n", "a b", "a\nb", "\xC3\xBC"}) {
    const auto token = clean_token(bad, "the file f");
    ASSERT_FALSE(token) << bad;
    EXPECT_EQ(token.error().code, ExitCode::kUsage);
    EXPECT_THAT(token.error().text, HasSubstr("the file f"));
  }
}

TEST(ReadResult, MapsStatusAndErrorsToExitCodes) {
  const auto code = [](int status, std::string body) {
    const auto result = read_result({status, {}, std::move(body)}, "http://h:1");
    return result ? ExitCode::kOk : result.error().code;
  };
  EXPECT_EQ(code(200, R"({"jsonrpc":"2.0","id":1,"result":{}})"), ExitCode::kOk);
  EXPECT_EQ(code(200, R"({"id":1,"error":{"code":-32000,"message":"m"}})"), ExitCode::kError);
  EXPECT_EQ(code(503, R"({"id":1,"error":{"code":-32000,"message":"m"}})"), ExitCode::kError);
  EXPECT_EQ(code(401, R"({"id":null,"error":{"code":-32000,"message":"m"}})"),
            ExitCode::kUnauthorized);
  EXPECT_EQ(code(403, ""), ExitCode::kUnauthorized);
  EXPECT_EQ(code(200, "<html>"), ExitCode::kError);
  EXPECT_EQ(code(404, "{}"), ExitCode::kError);
}

}  // namespace
}  // namespace relay::cli
