#include "protocol/secrets.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(SecretRedactor, ReplacesEverySpellingOfASecret) {
  const SecretRedactor redactor({"hunter\"2", "abc"});
  EXPECT_EQ(redactor.redacted(R"(x hunter\"2 abcabc)"), "x *** ******");
  EXPECT_EQ(redactor.redacted("hunter\"2"), "***");
  EXPECT_FALSE(redactor.redact("nothing here"));
}

TEST(SecretRedactor, PrefersTheLongerOfTwoThatOverlap) {
  EXPECT_EQ(SecretRedactor({"key", "key-long"}).redacted("key-long key"), "*** ***");
}

TEST(RequestSecrets, HidesValuesOfMcpServers) {
  EXPECT_EQ(
      without_request_secrets(
          "session/new",
          R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[{"name":"a","env":[{"name":"K","value":"s1"}]},{"name":"b","headers":[{"name":"H","value":"s2"}]},{"name":"c","env":{"K":"s3"}}]}})"),
      R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[{"name":"a","env":[{"name":"K","value":"***"}]},{"name":"b","headers":[{"name":"H","value":"***"}]},{"name":"c","env":{"K":"***"}}]}})");
}

TEST(RequestSecrets, HidesTheEnvironmentOfANewSession) {
  EXPECT_EQ(
      without_request_secrets(
          "session/new",
          R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"env":{"KEY":"s1"},"mcp\u0053ervers":[{"env":[{"name":"K","value":"s2"}]}]}})"),
      R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"env":{"KEY":"***"},"mcpServers":[{"env":[{"name":"K","value":"***"}]}]}})");
}

TEST(RequestSecrets, HidesAllThatAuthenticateCarries) {
  EXPECT_EQ(
      without_request_secrets(
          "authenticate",
          R"({"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"methodId":"m","key":["s"]}})"),
      R"({"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"methodId":"***","key":["***"]}})");
}

TEST(RequestSecrets, LeavesOtherMessagesByteForByte) {
  const std::string text =
      R"({ "jsonrpc":"2.0","method":"m","params":{"big":18446744073709551616}})";
  EXPECT_EQ(without_request_secrets("m", text), text);
}

}  // namespace
}  // namespace relay
