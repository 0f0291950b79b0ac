#include "egress/usage_reader.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace relay::egress {
namespace {

struct Case {
  std::string_view name, answer;
  std::uint64_t tokens;
};

constexpr Case kCases[] = {
    {"anthropic",
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
     "{\"input_tokens\":25,\"cache_read_input_tokens\":1000,\"output_tokens\":1}}}\n\n"
     "event: message_delta\ndata: {\"usage\":{\"output_tokens\":15}}\n\n",
     1040},
    {"openai_chat",
     R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,)"
     R"("completion_tokens_details":{"reasoning_tokens":5}}})",
     21},
    {"openai_responses",
     R"({"response":{"usage":{"input_tokens": 36, "output_tokens": 87, "total_tokens": 123 }}})",
     123},
    {"gemini",
     R"({"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":4,"totalTokenCount":12}})",
     12},
    {"none", R"({"choices":[{"text":"no count of tokens"}]})", 0},
    {"said_by_the_model", R"({"text":"{\"input_tokens\":900000,\"total_tokens\":7}"})", 0},
    {"said_by_the_model_as_json",
     R"({"content":[{"type":"tool_use","input":{"total_tokens":1,"prompt_tokens":2}}],)"
     R"("usage":{"input_tokens":25,"output_tokens":40}})",
     65},
    {"said_twice",
     R"({"usage":{"prompt_tokens":9,"completion_tokens":12,"input_tokens":9,"output_tokens":12,)"
     R"("total_tokens":21}})",
     21},
    {"not_a_number", R"({"input_tokens":null,"output_tokens":"5","total_tokens":})", 0},
    {"more_than_there_can_be", R"({"total_tokens":18446744073709551615})", 1'000'000'000'000},
    {"parts_of_more_than_there_can_be",
     R"({"input_tokens":18446744073709551615,"output_tokens":9223372036854775808})",
     2'000'000'000'000},
    {"too_large", R"({"total_tokens":99999999999999999999999999})", 0},
};

TEST(UsageReader, CountsWhatAnAnswerSays) {
  for (const Case& row : kCases) {
    UsageReader reader;
    reader.feed(row.answer);
    EXPECT_EQ(reader.tokens(), row.tokens) << row.name;
  }
}

TEST(UsageReader, CountsTheSameWhereverAnAnswerIsCut) {
  for (const Case& row : kCases) {
    for (std::size_t cut = 0; cut <= row.answer.size(); ++cut) {
      UsageReader reader;
      reader.feed(row.answer.substr(0, cut));
      reader.feed(row.answer.substr(cut));
      ASSERT_EQ(reader.tokens(), row.tokens) << row.name << " cut at " << cut;
    }
    UsageReader by_byte;
    for (const char byte : row.answer) by_byte.feed({&byte, 1});
    EXPECT_EQ(by_byte.tokens(), row.tokens) << row.name;
  }
}

// Two responses of OpenAI's at the same time on one WebSocket, in frames that nothing is masked in.
TEST(UsageReader, AddsUpTheAnswersOfAWebSocketWhereverItIsCut) {
  const std::string text =
      R"(\x81~{"type":"response.created","response":{"id":"r1","usage":null}})"
      R"(\x81~{"type":"response.created","response":{"id":"r2","usage":null}})"
      R"(\x81~{"type":"response.completed","response":{"usage":{"input_tokens":30,)"
      R"("output_tokens":70,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":100}}})"
      R"(\x81~{"type":"response.completed","response":{"usage":{"input_tokens":20,)"
      R"("output_tokens":20,"total_tokens":40},"text":"\"total_tokens\":9 "}})"
      R"(\x81~{"type":"response.completed","response":{"usage":{"total_tokens":40}}})";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    UsageReader reader(UsageReader::Of::kManyAnswers);
    reader.feed(std::string_view(text).substr(0, cut));
    reader.feed(std::string_view(text).substr(cut));
    ASSERT_EQ(reader.tokens(), 180U) << "cut at " << cut;
  }
  UsageReader by_byte(UsageReader::Of::kManyAnswers);
  for (const char byte : text) by_byte.feed({&byte, 1});
  EXPECT_EQ(by_byte.tokens(), 180U);
}

TEST(UsageReader, AddsUpWhatHasNoTotal) {
  UsageReader reader(UsageReader::Of::kManyAnswers);
  for (int i = 0; i < 3; ++i) reader.feed(R"({"usage":{"input_tokens":5,"output_tokens":2}})");
  EXPECT_EQ(reader.tokens(), 21U);
}

TEST(UsageReader, IsQuickWithATextOfSignsAlone) {
  std::string part;
  while (part.size() < 64u << 10) part += "oken";
  UsageReader reader;
  for (int parts = 0; parts < 16; ++parts) reader.feed(part);
  EXPECT_EQ(reader.tokens(), 0U);
}

}  // namespace
}  // namespace relay::egress
