#include "protocol/frame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

using Kind = FrameError::Kind;

tl::expected<Frame, FrameError> parse(std::string text, FrameLimits limits = {}) {
  return Frame::parse(std::move(text), limits);
}

TEST(Frame, FindsThePartsOfARequest) {
  const auto frame = parse(
      R"({"jsonrpc":"2.0", "id" : 7 , "method":"session/prompt","params": {"sessionId":"abc","x":[1,{"y":2}]} })");
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->kind(), FrameKind::kRequest);
  EXPECT_EQ(frame->id(), "7");
  EXPECT_EQ(frame->method(), "session/prompt");
  EXPECT_EQ(frame->session_id(), "abc");
  EXPECT_EQ(frame->params(), R"({"sessionId":"abc","x":[1,{"y":2}]})");
}

TEST(Frame, KeepsIdsAsTheyAreSpelled) {
  for (const std::string id :
       {"null", "\"s\"", "0", "-1", "9007199254740993", "1e3", R"("a\"b")", "\"\""}) {
    const auto frame = parse(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"m"})");
    ASSERT_TRUE(frame) << id;
    EXPECT_EQ(frame->id(), id);
    EXPECT_EQ(frame->kind(), FrameKind::kRequest);
  }
}

TEST(Frame, ReadsAMethodThroughItsEscapes) {
  const auto frame = parse(R"({"jsonrpc":"2.0","id":1,"method":"session\/prom\u0070t"})");
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->method(), "session/prompt");
}

TEST(Frame, SpellsAMethodWithoutEscapesWhereItNeedsNone) {
  const auto frame = parse(
      R"({"method":"session\/list","jsonrpc":"2.0","id":"a\/b","params":{"sessionId":"s","x":"\/"}})");
  ASSERT_TRUE(frame);
  EXPECT_EQ(
      frame->bytes(),
      R"({"method":"session/list","jsonrpc":"2.0","id":"a\/b","params":{"sessionId":"s","x":"\/"}})");
  EXPECT_EQ(frame->id(), R"("a\/b")");
  EXPECT_EQ(frame->session_id(), "s");
  for (const std::string spelled : {R"(a\"b)", R"(a\\b)", R"(a\nb)", R"(a\u0000b)"}) {
    const std::string text = R"({"jsonrpc":"2.0","method":")" + spelled + R"("})";
    const auto kept = parse(text);
    ASSERT_TRUE(kept) << spelled;
    EXPECT_EQ(kept->bytes(), text);
    EXPECT_EQ(kept->method().size(), 3u);
  }
}

TEST(Frame, TellsTheKindsApart) {
  EXPECT_EQ(parse(R"({"jsonrpc":"2.0","method":"m"})")->kind(), FrameKind::kNotification);
  EXPECT_EQ(parse(R"({"id":1,"result":null,"jsonrpc":"2.0"})")->kind(), FrameKind::kResult);
  EXPECT_EQ(parse(R"({"id":1,"error":{"code":1},"jsonrpc":"2.0"})")->kind(), FrameKind::kError);
}

TEST(Frame, RefusesWhatIsNotJson) {
  for (const std::string text :
       {"", " ", "{", "nul", R"({"jsonrpc":"2.0","id":1,"method":"m")", "{\"jsonrpc\":\"2.0\"} x",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":tru}})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":01}})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\x"}})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a" 1}})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1 2]})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1}})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1,}})",
        "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}", "{\"jsonrpc\":\"2.0\",\"method\":\"a\nb\"}",
        "Content-Length: 12"}) {
    const auto frame = parse(text);
    ASSERT_FALSE(frame) << text;
    EXPECT_EQ(frame.error().kind, Kind::kNotJson) << text;
  }
}

TEST(Frame, RefusesJsonThatIsNoMessage) {
  for (const std::string text :
       {"42", "null", "\"text\"", "true", "{}", R"({"jsonrpc":"1.0","id":1,"method":"m"})",
        R"({"jsonrpc":2.0,"id":1,"method":"m"})", R"({"id":1,"method":"m"})",
        R"({"jsonrpc":"2.0","id":1})", R"({"jsonrpc":"2.0","id":1,"method":42})",
        R"({"jsonrpc":"2.0","id":1,"method":""})", R"({"jsonrpc":"2.0","id":{},"method":"m"})",
        R"({"jsonrpc":"2.0","id":[1],"method":"m"})", R"({"jsonrpc":"2.0","id":true,"method":"m"})",
        R"({"jsonrpc":"2.0","id":1,"result":1,"error":{}})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","result":1})", R"({"jsonrpc":"2.0","result":1})"}) {
    const auto frame = parse(text);
    ASSERT_FALSE(frame) << text;
    EXPECT_EQ(frame.error().kind, Kind::kInvalid) << text;
  }
  EXPECT_EQ(parse("[]").error().kind, Kind::kBatch);
  EXPECT_EQ(parse(R"([{"jsonrpc":"2.0","method":"m"}])").error().kind, Kind::kBatch);
}

TEST(Frame, RefusesDuplicatesOfTheMembersThatRouteIt) {
  for (const std::string text :
       {R"({"jsonrpc":"2.0","id":1,"id":2,"method":"m"})",
        R"({"jsonrpc":"2.0","id":1,"method":"a","method":"b"})",
        R"({"jsonrpc":"2.0","id":1,"method":"a","meth\u006fd":"b"})",
        R"({"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{}})"}) {
    const auto frame = parse(text);
    ASSERT_FALSE(frame) << text;
    EXPECT_EQ(frame.error().kind, Kind::kDuplicateKey) << text;
    EXPECT_EQ(frame.error().id, "1");
  }
}

TEST(Frame, SalvagesTheIdOfARefusedMessage) {
  EXPECT_EQ(parse(R"({"id":"x","method":"m"})").error().id, "\"x\"");
  EXPECT_EQ(parse(R"({"jsonrpc":"2.0","method":7,"id":5})").error().id, "5");
  EXPECT_EQ(parse(R"({"jsonrpc":"2.0","id":{},"method":"m"})").error().id, "null");
}

std::string nested(std::size_t levels) {
  return R"({"jsonrpc":"2.0","params":)" + std::string(levels - 1, '[') +
         std::string(levels - 1, ']') + R"(,"id":3,"method":"m"})";
}

TEST(Frame, BoundsTheDepth) {
  EXPECT_TRUE(parse(nested(512)));
  const auto deep = parse(nested(513));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().kind, Kind::kTooDeep);
  EXPECT_EQ(deep.error().id, "3");
  EXPECT_EQ(parse(nested(100'000)).error().kind, Kind::kTooDeep);
}

TEST(Frame, ReadsWhatWasAcceptedAgain) {
  EXPECT_TRUE(parse(nested(600), kAccepted));
  EXPECT_TRUE(
      parse(R"({"jsonrpc":"2.0","id":")" + std::string((1u << 20) - 2, 'i') + R"(","method":"m"})",
            kAccepted));
  EXPECT_EQ(parse(nested(100'000), kAccepted).error().kind, Kind::kTooDeep);
}

TEST(Frame, BoundsTheId) {
  FrameLimits limits;
  limits.max_id_bytes = 6;
  EXPECT_TRUE(parse(R"({"jsonrpc":"2.0","id":"abcd","method":"m"})", limits));
  const auto longer = parse(R"({"jsonrpc":"2.0","id":"abcde","method":"m"})", limits);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().id, "null");
}

TEST(Frame, PutsAPrettyPrintedMessageOnOneLine) {
  const auto frame = parse("{\r\n  \"jsonrpc\": \"2.0\",\n  \"method\": \"m\"\n}\n");
  ASSERT_TRUE(frame);
  EXPECT_THAT(std::string(frame->bytes()), testing::Not(testing::HasSubstr("\n")));
  EXPECT_THAT(std::string(frame->bytes()), testing::Not(testing::HasSubstr("\r")));
}

std::vector<std::string> references(const Frame& frame) {
  std::vector<std::string> out;
  for (const Span& span : frame.envelope().session_references) out.emplace_back(frame.text(span));
  return out;
}

TEST(Frame, FindsSessionReferencesAtAnyDepth) {
  const auto frame = parse(
      R"({"jsonrpc":"2.0","method":"m","params":{"sessionId":"1","a":[{"childSessionId" : "1"}],"t":"1","xsessionId":"1"}})");
  ASSERT_TRUE(frame);
  EXPECT_THAT(references(*frame), testing::ElementsAre("\"1\"", "\"1\""));
}

TEST(Frame, FindsAWatchedIdInAnyString) {
  FrameLimits limits;
  limits.watched_id = "\"agent-session-0001\"";
  const auto frame = parse(
      R"({"jsonrpc":"2.0","method":"m","params":{"about":"agent-session-0001","text":"say \"agent-session-0001\""}})",
      limits);
  ASSERT_TRUE(frame);
  EXPECT_THAT(references(*frame), testing::ElementsAre("\"agent-session-0001\""));
}

TEST(Frame, FindsNoSessionInItsMethodAndId) {
  FrameLimits limits;
  limits.watched_id = "\"agent-session-0001\"";
  for (const char* text :
       {R"({"jsonrpc":"2.0","method":"agent-session-0001","params":[]})",
        R"({"jsonrpc":"2.0","id":"agent-session-0001","method":"m"})",
        R"({"jsonrpc":"2.0","id":"sess_00112233445566778899aabbccddeeff","result":1})"}) {
    const auto frame = parse(text, limits);
    ASSERT_TRUE(frame) << text;
    EXPECT_TRUE(references(*frame).empty()) << text;
  }
}

TEST(Frame, FindsRelaySessionIds) {
  const auto frame = parse(
      R"({"jsonrpc":"2.0","method":"m","params":{"list":["sess_00112233445566778899aabbccddeeff"]}})");
  EXPECT_EQ(references(*frame).size(), 1u);
}

TEST(Frame, FindsRequestIdsInParams) {
  EXPECT_EQ(parse(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":12}})")
                ->request_id(),
            "12");
  EXPECT_EQ(parse(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"a"}})")
                ->request_id(),
            "\"a\"");
  EXPECT_EQ(parse(R"({"jsonrpc":"2.0","method":"m","params":{"requestId":{}}})")->request_id(), "");
}

TEST(Frame, LosesAByteOrderMark) {
  const auto frame = parse(
      "\xef\xbb\xbf"
      R"({"jsonrpc":"2.0","method":"m"})");
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->bytes(), R"({"jsonrpc":"2.0","method":"m"})");
}

TEST(Frame, MendsHalvesOfSurrogatePairs) {
  const std::pair<const char*, const char*> table[] = {
      {R"("\ud83d\ude00")", R"("\ud83d\ude00")"},
      {R"("cut \ud83d")", R"("cut \ufffd")"},
      {R"("\uDE00 cut")", R"("\ufffd cut")"},
      {R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
      {R"("\ude00\ud83d")", R"("\ufffd\ufffd")"},
      {R"("\\ud83d")", R"("\\ud83d")"},
      {R"("\ud7ff\ue000")", R"("\ud7ff\ue000")"},
      {R"("\ud83d\n")", R"("\ufffd\n")"},
  };
  for (const auto& [written, meant] : table) {
    const auto frame =
        parse(R"({"jsonrpc":"2.0","method":"m","params":{"a":)" + std::string(written) + "}}");
    ASSERT_TRUE(frame) << written;
    EXPECT_EQ(frame->params(), R"({"a":)" + std::string(meant) + "}");
  }
}

TEST(Frame, TakesWhatAgentsMean) {
  FrameLimits of_agent;
  of_agent.writer = Writer::kAgent;
  const std::pair<const char*, const char*> table[] = {
      {R"({"jsonrpc":"2.0","id":1,"result":{"a":1},"error":null})",
       R"({"jsonrpc":"2.0","id":1,"result":{"a":1}})"},
      {R"({"jsonrpc":"2.0","error":null,"id":1,"result":null})",
       R"({"jsonrpc":"2.0","id":1,"result":null})"},
      {R"({"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1}})",
       R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})"},
      {R"({"id":1,"result":{}})", R"({"jsonrpc":"2.0","id":1,"result":{}})"},
      {R"({"method":"m"})", R"({"jsonrpc":"2.0","method":"m"})"},
      {R"({"id":1,"result":{},"error":null})", R"({"jsonrpc":"2.0","id":1,"result":{}})"},
  };
  for (const auto& [written, meant] : table) {
    const auto frame = Frame::parse(written, of_agent);
    ASSERT_TRUE(frame) << written;
    EXPECT_EQ(frame->bytes(), meant);
    EXPECT_FALSE(Frame::parse(written, FrameLimits())) << "a client is told: " << written;
  }
  for (const char* no_message :
       {R"({"id":1})", R"({"level":"info","msg":"ready"})",
        R"({"jsonrpc":"1.0","id":1,"result":1})",
        R"({"jsonrpc":"2.0","id":1,"result":1,"error":{}})", R"("text")"}) {
    EXPECT_FALSE(Frame::parse(no_message, of_agent)) << no_message;
  }
}

TEST(FrameParts, KnowsTheKindOfAnUpdate) {
  const auto kind = [](const std::string& params) {
    const auto frame =
        Frame::parse(R"({"jsonrpc":"2.0","method":"session/update","params":)" + params + "}", {});
    return frame ? std::string(frame->update_kind()) : "no frame";
  };
  EXPECT_EQ(
      kind(
          R"({"sessionId":"s","update":{"a":[1,{"sessionUpdate":"x"}],"sessionUpdate" : "plan"}})"),
      "plan");
  EXPECT_EQ(kind(R"({"update":{"sessionUpdate":"plan","sessionUpdate":"other"}})"), "plan");
  for (const char* none :
       {"{}", R"({"sessionUpdate":"plan"})", R"({"update":"sessionUpdate"})",
        R"({"update":{"sessionUpdate":7}})", R"({"update":{"sessionUpdate":""}})",
        R"({"update":{"update":{"sessionUpdate":"plan"}}})",
        R"([{"update":{"sessionUpdate":"x"}}])", R"({"other":{"sessionUpdate":"plan"}})"}) {
    EXPECT_EQ(kind(none), "") << none;
  }
  const auto result =
      Frame::parse(R"({"jsonrpc":"2.0","id":1,"result":{"update":{"sessionUpdate":"plan"}}})", {});
  EXPECT_EQ(result->update_kind(), "");
}

}  // namespace
}  // namespace relay
