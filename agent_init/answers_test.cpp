#include "answers.hpp"

#include <gmock/gmock.h>

#include <string>

namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(AgentInitAnswers, AreWholeResponses) {
  const Answers answers(4096);
  for (const auto& answer : {std::string(answers.too_many()), std::string(answers.no_relay())}) {
    const auto end = answer.find("\r\n\r\n");
    ASSERT_NE(end, std::string::npos);
    const auto body = answer.substr(end + 4);
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: application/json\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nRetry-After: 1\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(body, StartsWith(R"({"type":"error","error":{"type":")"));
    EXPECT_THAT(body, EndsWith(R"("}})"));
  }
}

TEST(AgentInitAnswers, SayWhatIsToBeDone) {
  const Answers answers(7);
  EXPECT_THAT(std::string(answers.too_many()), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(std::string(answers.too_many()), HasSubstr("7 connections"));
  EXPECT_THAT(std::string(answers.too_many()), HasSubstr("--max-connections"));
  EXPECT_THAT(std::string(answers.no_relay()), StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
  EXPECT_THAT(std::string(answers.no_relay()), HasSubstr("restarting"));
}

}  // namespace
