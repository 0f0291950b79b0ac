#include "frontend/prompt_answer.hpp"

#include <gtest/gtest.h>

namespace relay::frontend {
namespace {

Delivery update(std::int64_t sequence, const std::string& text) {
  return {SharedBytes(text), sequence, DeliveryKind::kUpdate};
}
Delivery response(const std::string& text) {
  return {SharedBytes(text), 99, DeliveryKind::kResponse};
}

TEST(PromptAnswer, PutsTheUpdatesIntoTheResult) {
  PromptAnswer answer(1000);
  answer.add(update(1, R"({"u":1.0})"));
  answer.add({SharedBytes(R"({"other":1})"), 2, DeliveryKind::kNotification});
  answer.add({SharedBytes(R"({"asked":1})"), 3, DeliveryKind::kRequest});
  answer.add(update(4, R"({"u":2})"));
  EXPECT_FALSE(answer.complete());
  answer.add(response(R"({"jsonrpc":"2.0","id":1,"result":{"stopReason":"end_turn"},"x":1e2})"));
  ASSERT_TRUE(answer.complete());
  EXPECT_EQ(
      answer.take(),
      R"({"jsonrpc":"2.0","id":1,"result":{"_meta":{"acp-relay/updates":[{"u":1.0},{"u":2}]},)"
      R"("stopReason":"end_turn"},"x":1e2})");
}

TEST(PromptAnswer, TakesAResponseThatWasAcceptedAsItIs) {
  PromptAnswer answer(1000);
  const std::string id = '"' + std::string(2000, 'i') + '"';
  const std::string deep = std::string(600, '[') + std::string(600, ']');
  answer.add(response(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{"x":)" + deep + "}}"));
  EXPECT_EQ(answer.take(), R"({"jsonrpc":"2.0","id":)" + id +
                               R"(,"result":{"_meta":{"acp-relay/updates":[]},"x":)" + deep + "}}");
}

TEST(PromptAnswer, AddsToTheMetaThatIsThere) {
  PromptAnswer answer(1000);
  answer.add(response(R"({"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1}}})"));
  const std::string text = answer.take();
  EXPECT_NE(text.find(R"("acp-relay/updates":[])"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("a":1)"), std::string::npos) << text;
}

TEST(PromptAnswer, DropsTheOldestUpdatesAndSaysWhich) {
  PromptAnswer answer(10);
  answer.add(update(1, "\"111\""));
  answer.add(update(3, "\"333\""));
  answer.add(update(5, "\"555\""));
  answer.add(update(7, "\"777\""));
  answer.add(response(R"({"jsonrpc":"2.0","id":1,"result":{}})"));
  EXPECT_EQ(answer.take(),
            R"({"jsonrpc":"2.0","id":1,"result":{"_meta":{"acp-relay/updates":["555","777"],)"
            R"("acp-relay/truncated":{"from":1,"to":3}}}})");
}

TEST(PromptAnswer, DropsAnUpdateThatIsLargerThanAll) {
  PromptAnswer answer(4);
  answer.add(update(1, "\"11111\""));
  answer.add(update(2, "\"2\""));
  answer.add(response(R"({"jsonrpc":"2.0","id":1,"result":{}})"));
  EXPECT_EQ(answer.take(),
            R"({"jsonrpc":"2.0","id":1,"result":{"_meta":{"acp-relay/updates":["2"],)"
            R"("acp-relay/truncated":{"from":1,"to":1}}}})");
}

TEST(PromptAnswer, PassesAnErrorAsItIs) {
  PromptAnswer answer(1000);
  answer.add(update(1, "{}"));
  const std::string error = R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}})";
  answer.add(response(error));
  EXPECT_EQ(answer.take(), error);
}

TEST(PromptAnswer, IgnoresWhatComesAfterTheResponse) {
  PromptAnswer answer(1000);
  answer.add(response(R"({"jsonrpc":"2.0","id":1,"result":{}})"));
  answer.add(update(100, R"({"late":1})"));
  answer.add(response(R"({"jsonrpc":"2.0","id":1,"result":{"second":1}})"));
  EXPECT_EQ(answer.take(),
            R"({"jsonrpc":"2.0","id":1,"result":{"_meta":{"acp-relay/updates":[]}}})");
}

TEST(PromptForm, IsWhatAcceptLikesBest) {
  struct Row {
    const char* accept;
    std::optional<PromptForm> form;
  };
  const Row table[] = {
      {"", PromptForm::kAnswer},
      {"*/*", PromptForm::kAnswer},
      {"application/*", PromptForm::kAnswer},
      {"Application/JSON", PromptForm::kAnswer},
      {"text/*", PromptForm::kEvents},
      {"Text/Event-Stream", PromptForm::kEvents},
      {"application/json, text/event-stream", PromptForm::kEvents},
      {"application/x-ndjson, */*", PromptForm::kLines},
      {"application/x-ndjson, text/event-stream", PromptForm::kEvents},
      {"application/json, text/event-stream;q=0", PromptForm::kAnswer},
      {"application/json, text/event-stream;q=0.1", PromptForm::kAnswer},
      {"text/event-stream, application/json;q=0.5", PromptForm::kEvents},
      {"application/x-ndjson;q=0.2, application/json;q=0.1", PromptForm::kLines},
      {"application/json;q=0, */*;q=0.5", PromptForm::kEvents},
      {"*/*;q=0", std::nullopt},
      {"text/html", std::nullopt},
  };
  for (const Row& row : table) {
    EXPECT_EQ(prompt_form({{"Accept", row.accept}}), row.form) << row.accept;
  }
}

}  // namespace
}  // namespace relay::frontend
