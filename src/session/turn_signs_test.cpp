#include "session/turn_signs.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace relay {
namespace {

constexpr std::string_view kOfSession = R"("sessionId":"agent-1")";
constexpr std::string_view kOfChild = R"("sessionId":"child-1")";

std::string update_of_kind(std::string_view kind, std::string_view session = kOfSession) {
  return R"({"jsonrpc":"2.0","method":"session/update","params":{)" + std::string(session) +
         R"(,"update":{"sessionUpdate":")" + std::string(kind) + R"("}}})";
}

std::string asked_by_agent(std::string_view method, std::string_view params = kOfSession) {
  return R"({"jsonrpc":"2.0","id":"a","method":")" + std::string(method) + R"(","params":{)" +
         std::string(params) + "}}";
}

std::string answer_to(std::string_view id, std::string_view member = R"("result":{})") {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + "," + std::string(member) + "}";
}

struct SignRow {
  std::string message;
  bool shows;
};

TEST(TurnSigns, AreWhatIsSentInTurnsAlone) {
  const std::vector<SignRow> rows = {
      {update_of_kind("user_message_chunk"), true},
      {update_of_kind("agent_message_chunk"), true},
      {update_of_kind("agent_thought_chunk"), true},
      {update_of_kind("tool_call"), true},
      {update_of_kind("tool_call_update"), true},
      {update_of_kind("plan"), true},
      {update_of_kind("plan_update"), true},
      {update_of_kind("plan_removed"), false},
      {update_of_kind("available_commands_update"), false},
      {update_of_kind("current_mode_update"), false},
      {update_of_kind("config_option_update"), false},
      {update_of_kind("session_info_update"), false},
      {update_of_kind("usage_update"), false},
      {update_of_kind("notice"), false},
      {update_of_kind("compaction_update"), false},
      {update_of_kind("subagent_update"), false},
      {update_of_kind("session_message_chunk"), false},
      {update_of_kind("brand_new"), false},
      {update_of_kind("agent_message_chunk", kOfChild), false},
      {update_of_kind("agent_message_chunk", R"("other":1)"), false},
      {R"({"jsonrpc":"2.0","method":"session/update"})", false},
      {R"({"jsonrpc":"2.0","method":"_x/news","params":{"sessionId":"agent-1",)"
       R"("update":{"sessionUpdate":"tool_call"}}})",
       false},
      {asked_by_agent("session/request_permission"), true},
      {asked_by_agent("session/request_permission", kOfChild), false},
      {asked_by_agent("fs/read_text_file"), true},
      {asked_by_agent("terminal/create"), true},
      {asked_by_agent("elicitation/create"), true},
      {asked_by_agent("elicitation/create", R"("requestId":7)"), true},
      {asked_by_agent("elicitation/create", R"("requestId":8)"), false},
      {asked_by_agent("mcp/message"), false},
      {asked_by_agent("_vendor/ask"), false},
      {answer_to("7"), true},
      {answer_to("\"7\""), true},
      {answer_to("7", R"("error":{"code":-1,"message":"m"})"), true},
      {answer_to("8"), false},
      {answer_to("null", R"("error":{"code":-1,"message":"m"})"), false},
  };
  for (const SignRow& row : rows) {
    const auto frame = Frame::parse(row.message, {});
    ASSERT_TRUE(frame) << row.message;
    EXPECT_EQ(shows_turn(*frame, R"("agent-1")", 7), row.shows) << row.message;
  }
}

}  // namespace
}  // namespace relay
