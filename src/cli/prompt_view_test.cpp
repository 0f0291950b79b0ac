#include "cli/prompt_view.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

using Pieces = std::vector<Piece>;
constexpr ViewOptions kPipes{};
constexpr ViewOptions kScreen{.out_is_terminal = true, .err_is_terminal = true};

boost::json::object params(const std::string& update) {
  return boost::json::parse(R"({"sessionId":"s","update":)" + update + "}").as_object();
}

boost::json::object text(const std::string& words,
                         const std::string& kind = "agent_message_chunk") {
  return params(R"({"sessionUpdate":")" + kind + R"(","content":{"type":"text","text":")" + words +
                R"("}})");
}

Piece out(std::string what) { return {Piece::Stream::kOut, std::move(what)}; }
Piece err(std::string what) { return {Piece::Stream::kErr, std::move(what)}; }

TEST(PromptView, ShowsOneUpdateAsATable) {
  const std::vector<std::pair<const char*, Pieces>> table{
      {R"({"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"hi"}})",
       {out("hi")}},
      {R"({"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"hm"}})",
       {err("hm")}},
      {R"({"sessionUpdate":"user_message_chunk","content":{"type":"text","text":"me"}})", {}},
      {R"({"sessionUpdate":"agent_message_chunk","content":{"type":"image","mimeType":"image/png"}})",
       {err("[image] image/png\n")}},
      {R"({"sessionUpdate":"agent_message_chunk","content":{"type":"resource","resource":{"uri":"u"}}})",
       {err("[resource] u\n")}},
      {R"({"sessionUpdate":"tool_call","toolCallId":"1","title":"Read a","status":"pending"})",
       {err("[tool] Read a: pending\n")}},
      {R"({"sessionUpdate":"tool_call","toolCallId":"1"})", {err("[tool] 1\n")}},
      {R"({"sessionUpdate":"plan","entries":[{"content":"a","status":"completed"},{"content":"b"}]})",
       {err("[plan]\n"), err("  [x] a\n"), err("  [ ] b\n")}},
      {R"({"sessionUpdate":"current_mode_update","currentModeId":"ask"})", {err("[mode] ask\n")}},
      {R"({"sessionUpdate":"notice","severity":"warning","title":"low"})",
       {err("[warning] low\n")}},
      {R"({"sessionUpdate":"usage_update","used":1})", {}},
      {R"({"sessionUpdate":"agent_message_chunk"})", {}},
      {R"({"sessionUpdate":7})", {}},
      {R"(42)", {}}};
  for (const auto& [update, pieces] : table) {
    PromptView view(kPipes);
    EXPECT_EQ(view.update(params(update)), pieces) << update;
  }
}

TEST(PromptView, ReportsAToolWhenItsStatusChangesOnly) {
  PromptView view(kPipes);
  const auto update = [&view](const std::string& rest) {
    return view.update(
        params(R"({"sessionUpdate":"tool_call_update","toolCallId":"1")" + rest + "}"));
  };
  EXPECT_EQ(update(R"(,"title":"Run","status":"pending")"), Pieces{err("[tool] Run: pending\n")});
  EXPECT_EQ(update(R"(,"status":"pending")"), Pieces{});
  EXPECT_EQ(update(R"(,"rawOutput":1)"), Pieces{});
  EXPECT_EQ(update(R"(,"status":"failed","content":[{"type":"content","content":
                      {"type":"text","text":"no\nfile"}}])"),
            Pieces{err("[tool] Run: failed (no file)\n")});
}

TEST(PromptView, KeepsStdoutPureInPipes) {
  PromptView view(kPipes);
  EXPECT_EQ(view.update(text("one")), Pieces{out("one")});
  EXPECT_EQ(view.note("x"), Pieces{err("x\n")});
  EXPECT_EQ(view.update(text(" two")), Pieces{out(" two")});
  EXPECT_EQ(view.finish(), Pieces{out("\n")});
  EXPECT_EQ(view.finish(), Pieces{});
}

TEST(PromptView, EndsTheOpenLineBeforeANoteOnAScreen) {
  PromptView view(kScreen);
  (void)view.update(text("one"));
  EXPECT_EQ(view.note("x"), (Pieces{err("\n"), err("\x1b[2mx\x1b[0m\n")}));
  EXPECT_EQ(view.update(text("two\\n")), Pieces{out("two\n")});
  EXPECT_EQ(view.note("y"), Pieces{err("\x1b[2my\x1b[0m\n")});
  EXPECT_EQ(view.finish(), Pieces{});
}

TEST(PromptView, StreamsThoughtsAsOneParagraph) {
  PromptView view(kPipes);
  EXPECT_EQ(view.update(text("a", "agent_thought_chunk")), Pieces{err("a")});
  EXPECT_EQ(view.update(text("b", "agent_thought_chunk")), Pieces{err("b")});
  EXPECT_EQ(view.update(text("answer")), (Pieces{err("\n"), out("answer")}));
}

TEST(PromptView, SeparatesMessages) {
  const auto named = [](const std::string& id, const std::string& words) {
    return params(R"({"sessionUpdate":"agent_message_chunk","messageId":")" + id +
                  R"(","content":{"type":"text","text":")" + words + R"("}})");
  };
  PromptView ids(kPipes);
  EXPECT_EQ(ids.update(named("a", "one")), Pieces{out("one")});
  EXPECT_EQ(ids.update(named("a", " and")), Pieces{out(" and")});
  EXPECT_EQ(ids.update(named("b", "two")), (Pieces{out("\n"), out("two")}));
  EXPECT_EQ(ids.update(named("c", "\\nthree\\n")), Pieces{out("\nthree\n")});
  EXPECT_EQ(ids.update(named("d", "four")), Pieces{out("four")});

  const auto tool = params(R"({"sessionUpdate":"tool_call","toolCallId":"1","title":"Run"})");
  PromptView tools(kPipes);
  EXPECT_EQ(tools.update(text("one")), Pieces{out("one")});
  EXPECT_EQ(tools.update(tool), Pieces{err("[tool] Run\n")});
  EXPECT_EQ(tools.update(text("two")), (Pieces{out("\n"), out("two")}));
  EXPECT_EQ(tools.update(text(" words")), Pieces{out(" words")});

  PromptView same(kPipes);
  (void)same.update(named("a", "one"));
  (void)same.update(tool);
  EXPECT_EQ(same.update(named("a", " more")), Pieces{out(" more")}) << "the agent says it goes on";

  PromptView screen(kScreen);
  (void)screen.update(text("one"));
  (void)screen.update(tool);
  EXPECT_EQ(screen.update(text("two")), Pieces{out("two")}) << "the note has ended the line";
}

TEST(PolicyNotes, TellWhatWasDecidedWithoutAsking) {
  const auto result = boost::json::parse(
      R"({"_meta":{"acp-relay/permissions":[3,{"toolCall":{"title":"Run"},"kind":"reject_once"},{}]}})");
  EXPECT_EQ(policy_notes(result.as_object()),
            (std::vector<std::string>{
                "[permission] Run: reject_once by the relay (sessions.permission_default); nobody "
                "was asked",
                "[permission] : cancelled by the relay (sessions.permission_default); nobody was "
                "asked"}));
  EXPECT_TRUE(policy_notes({}).empty());
}

TEST(PromptView, CleansWhatGoesToATerminalAndNothingElse) {
  PromptView screen(kScreen);
  EXPECT_EQ(screen.update(text("\\u001b[2J")), Pieces{out("?[2J")});
  PromptView pipe(kPipes);
  EXPECT_EQ(pipe.update(text("\\u001b[2J")), Pieces{out("\x1b[2J")});
  EXPECT_EQ(pipe.note("\x1b[2J"), Pieces{err("?[2J\n")});
}

}  // namespace
}  // namespace relay::cli
