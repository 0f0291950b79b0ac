#include "cli/permission.hpp"

#include "cli/rpc.hpp"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

PermissionRequest example() {
  return read_permission(
      parse_object(R"({"jsonrpc":"2.0","id":"r-1","method":"session/request_permission","params":{
        "sessionId":"s","toolCall":{"toolCallId":"1","title":"Delete\nall"},"options":[
        {"optionId":"a2","name":"Always","kind":"allow_always"},{"name":"no id"},7,
        {"optionId":"a1","name":"Once","kind":"allow_once"},
        {"optionId":"r2","kind":"reject_always"}]}})")
          .value());
}

TEST(Permission, AsksWithNumberedOptions) {
  EXPECT_EQ(question_text(example()),
            "The agent asks for permission: Delete all\n"
            "  1) Always [allow_always]\n  2) Once [allow_once]\n  3) r2 [reject_always]\n"
            "Number, or Enter to cancel: ");
}

TEST(Permission, ReadsWhatWasTyped) {
  const PermissionRequest request = example();
  const std::vector<std::tuple<const char*, Answer::Kind, const char*>> table{
      {"1", Answer::Kind::kOption, "a2"}, {" 2 \r", Answer::Kind::kOption, "a1"},
      {"", Answer::Kind::kCancel, ""},    {"c", Answer::Kind::kCancel, ""},
      {"0", Answer::Kind::kUnclear, ""},  {"4", Answer::Kind::kUnclear, ""},
      {"1x", Answer::Kind::kUnclear, ""}, {"-1", Answer::Kind::kUnclear, ""},
      {"yes", Answer::Kind::kUnclear, ""}};
  for (const auto& [typed, kind, id] : table) {
    const Answer answer = read_answer(request, typed);
    EXPECT_EQ(answer.kind, kind) << typed;
    EXPECT_EQ(answer.option.id, id) << typed;
  }
}

TEST(Permission, PoliciesPreferOnceOverAlways) {
  EXPECT_EQ(option_for(example(), PermissionPolicy::kAllow)->id, "a1");
  EXPECT_EQ(option_for(example(), PermissionPolicy::kReject)->id, "r2");
  EXPECT_FALSE(option_for(example(), PermissionPolicy::kAsk));
  EXPECT_FALSE(option_for(PermissionRequest{}, PermissionPolicy::kAllow));
}

TEST(Permission, WritesOutcomes) {
  EXPECT_EQ(boost::json::serialize(permission_result(PermissionOption{"a1", "", ""})),
            R"({"outcome":{"outcome":"selected","optionId":"a1"}})");
  EXPECT_EQ(boost::json::serialize(permission_result(std::nullopt)),
            R"({"outcome":{"outcome":"cancelled"}})");
}

TEST(Permission, KeepsTheRequestIdAsItCame) {
  EXPECT_EQ(boost::json::serialize(example().request_id), R"("r-1")");
  EXPECT_EQ(boost::json::serialize(read_permission({{"id", 7}}).request_id), "7");
}

}  // namespace
}  // namespace relay::cli
