#include "session/audit_words.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

std::string shown(const std::optional<AuditWords>& words) {
  return words ? std::string(words->action) + ": " + words->detail : "nothing";
}

TEST(AuditWords, SayWhichAnswerWasChosenAndNoMore) {
  struct Case {
    acp::ReverseKind kind;
    std::string_view member, json, expected;
  };
  using Kind = acp::ReverseKind;
  for (const Case& one : {
           Case{Kind::kPermission, "result",
                R"({"outcome":{"outcome":"selected","optionId":"allow \"it\""}})",
                R"(answered_permission: allow "it")"},
           Case{Kind::kPermission, "result", R"({"outcome":{"outcome":"cancelled"}})",
                "answered_permission: cancelled"},
           Case{Kind::kPermission, "error", R"({"code":1,"message":"canary"})",
                "answered_permission: error"},
           Case{Kind::kPermission, "result", "[]", "answered_permission: "},
           Case{Kind::kElicitation, "result", R"({"action":"accept","content":{"a":"canary"}})",
                "answered_elicitation: accept"},
           Case{Kind::kClientDisk, "result", R"({"content":"canary"})", "nothing"},
           Case{Kind::kOther, "result", R"({"optionId":"x"})", "nothing"},
       }) {
    EXPECT_EQ(shown(audit_words_of_answer(one.kind, one.member, one.json)), one.expected);
  }
}

TEST(AuditWords, SayWhichSettingIsAskedFor) {
  struct Case {
    std::string_view method, params, expected;
  };
  for (const Case& one : {
           Case{"session/set_mode", R"({"modeId":"code"})", "changed_mode: code"},
           Case{"session/set_config_option", R"({"configId":"model","value":"large"})",
                "changed_option: model=large"},
           Case{"session/set_config_option", R"({"configId":"fast","value":true})",
                "changed_option: fast"},
           Case{"session/prompt", R"({"modeId":"code"})", "nothing"},
       }) {
    const std::string text = R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(one.method) +
                             R"(","params":)" + std::string(one.params) + "}";
    const auto frame = Frame::parse(text, {});
    ASSERT_TRUE(frame);
    EXPECT_EQ(shown(audit_words_of_request(*frame)), one.expected);
  }
}

}  // namespace
}  // namespace relay
