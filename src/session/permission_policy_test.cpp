#include "session/permission_policy.hpp"

#include "protocol/acp.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

std::string choice(const std::string& option) {
  return R"({"outcome":{"outcome":"selected","optionId":")" + option + "\"}}";
}

std::string options(const std::string& list) { return R"({"options":[)" + list + "]}"; }

const std::string kAll =
    options(R"({"optionId":"aa","kind":"allow_always"},{"optionId":"ra","kind":"reject_always"},)"
            R"({"optionId":"ao","kind":"allow_once"},{"optionId":"ro","kind":"reject_once"})");

TEST(PolicyAnswer, ChoosesOnceBeforeAlways) {
  EXPECT_EQ(policy_answer(kAll, PermissionDefault::kAllow), choice("ao"));
  EXPECT_EQ(policy_answer(kAll, PermissionDefault::kReject), choice("ro"));
  const std::string always = options(R"({"optionId":"aa","kind":"allow_always"})");
  EXPECT_EQ(policy_answer(always, PermissionDefault::kAllow), choice("aa"));
}

TEST(PolicyDecision, SaysWhatWasDecided) {
  const std::string asked = R"({"toolCall":{"toolCallId":"c1","title":"Run \"it\""},"options":[)"
                            R"({"optionId":"ro","kind":"reject_once"}]})";
  EXPECT_EQ(
      policy_decision(asked, choice("ro")),
      R"({"toolCall":{"toolCallId":"c1","title":"Run \"it\""},)"
      R"("outcome":{"outcome":"selected","optionId":"ro"},"kind":"reject_once","by":"policy"})");
  EXPECT_EQ(policy_decision("[]", acp::kCancelledOutcome),
            R"({"toolCall":{"toolCallId":"","title":""},"outcome":{"outcome":"cancelled"},)"
            R"("by":"policy"})");
  const std::string long_title =
      R"({"toolCall":{"toolCallId":"c","title":")" + std::string(1000, 'x') + "\"}}";
  EXPECT_LT(policy_decision(long_title, acp::kCancelledOutcome).size(), 400U);
}

TEST(PolicyAnswer, IsCancelledWhenNoOptionFits) {
  EXPECT_EQ(policy_answer(kAll, PermissionDefault::kCancelled), acp::kCancelledOutcome);
  for (const std::string& params :
       {std::string("{}"), std::string("[]"), std::string(), options(""), options("1,null,\"x\""),
        options(R"({"kind":"allow_once"})"), options(R"({"optionId":7,"kind":"allow_once"})"),
        options(R"({"optionId":"","kind":"allow_once"})"),
        options(R"({"optionId":"r","kind":"reject_once"})"), std::string(R"({"options":{}})")}) {
    EXPECT_EQ(policy_answer(params, PermissionDefault::kAllow), acp::kCancelledOutcome) << params;
  }
}

TEST(PolicyAnswer, IsFoundHoweverDeepTheRequestIs) {
  const std::string deep = std::string(600, '[') + std::string(600, ']');
  EXPECT_EQ(policy_answer(options(R"({"optionId":"o","kind":"allow_once","_meta":)" + deep + "}"),
                          PermissionDefault::kAllow),
            choice("o"));
}

TEST(PolicyAnswer, EscapesTheOption) {
  EXPECT_EQ(policy_answer(options(R"({"optionId":"a\"\\b","kind":"allow_once"})"),
                          PermissionDefault::kAllow),
            choice(R"(a\"\\b)"));
}

TEST(IsDecision, TakesCancelledAndOfferedOptions) {
  EXPECT_TRUE(is_decision(acp::kCancelledOutcome, kAll));
  EXPECT_TRUE(is_decision(choice("ro"), kAll));
  EXPECT_TRUE(is_decision(choice(R"(\u0072o)"), kAll)) << "spelled differently";
  EXPECT_TRUE(is_decision(choice("x"), "{}")) << "nothing was offered to check it against";
}

TEST(IsDecision, TakesNothingElse) {
  for (const std::string& answer :
       {choice("x"), choice(""), std::string("null"), std::string("{}"), std::string("broken"),
        std::string(R"({"outcome":"cancelled"})"),
        std::string(R"({"outcome":{"outcome":"maybe"}})"),
        std::string(R"({"outcome":{"outcome":"selected"}})"),
        std::string(R"({"outcome":{"outcome":"selected","optionId":1}})")}) {
    EXPECT_FALSE(is_decision(answer, kAll)) << answer;
  }
}

}  // namespace
}  // namespace relay
