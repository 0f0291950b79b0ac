#include "bridge/marks.hpp"

#include "protocol/splice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::bridge {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

Frame parse(std::string text) {
  auto frame = Frame::parse(std::move(text), {});
  if (!frame) ADD_FAILURE() << frame.error().explanation;
  return std::move(*frame);
}

struct Marked {
  std::string body;      // of params or result
  std::int64_t number;   // -1: there is none
  std::string unmarked;  // the body without the mark
};

TEST(SequenceMark, IsFoundAndCutWhereTheRelayWroteIt) {
  const Marked table[] = {
      {R"({"_meta":{"acp-relay/seq":57},"a":1})", 57, R"({"a":1})"},
      {R"({"_meta":{"acp-relay/seq":57}})", 57, "{}"},
      {R"({"a":1,"_meta":{"acp-relay/seq":1,"x":[1e5]}})", 1, R"({"a":1,"_meta":{"x":[1e5]}})"},
      {R"({"a":1,"_meta":{"acp-relay/seq":1}})", 1, R"({"a":1,"_meta":{}})"},
      {R"({"_meta":{"acp-relay/seq":2,"x":1},"a":"acp-relay/seq"})", 2,
       R"({"_meta":{"x":1},"a":"acp-relay/seq"})"},
      // Another's spelling is read, and left.
      {R"({"_meta":{"x":1,"acp-relay/seq":3}})", 3, R"({"_meta":{"x":1,"acp-relay/seq":3}})"},
      {R"({"_meta":{"acp-relay/seq" : 4}})", 4, R"({"_meta":{"acp-relay/seq" : 4}})"},
      {R"({"_meta" : {"acp-relay/seq":5}})", 5, R"({"_meta" : {}})"},
      {R"({"a":"acp-relay/seq"})", -1, R"({"a":"acp-relay/seq"})"},
      {R"({"_meta":{"acp-relay/seq":"6"}})", -1, R"({"_meta":{"acp-relay/seq":"6"}})"},
      {R"({"_meta":{"acp-relay/seq":1.5}})", -1, R"({"_meta":{"acp-relay/seq":1.5}})"},
      {R"({"_meta":{"acp-relay/seq":99999999999999999999}})", -1,
       R"({"_meta":{"acp-relay/seq":99999999999999999999}})"},
      {R"({"b":{"_meta":{"acp-relay/seq":7}}})", -1, R"({"b":{"_meta":{"acp-relay/seq":7}}})"},
      {R"({"_meta":[]})", -1, R"({"_meta":[]})"},
      {R"({})", -1, R"({})"},
      {R"([1])", -1, R"([1])"},
  };
  for (const Marked& row : table) {
    for (const std::string head : {R"({"jsonrpc":"2.0","method":"session/update","params":)",
                                   R"({"jsonrpc":"2.0","id":1,"result":)"}) {
      const Frame frame = parse(head + row.body + "}");
      const auto mark = find_sequence(frame);
      EXPECT_EQ(mark ? mark->number : -1, row.number) << row.body;
      if (!mark) continue;
      Edits edits;
      if (mark->cut.present()) edits.push_back({mark->cut, {}});
      EXPECT_EQ(splice(frame.bytes(), edits), head + row.unmarked + "}");
    }
  }
  EXPECT_FALSE(find_sequence(parse(
      R"({"jsonrpc":"2.0","id":1,"error":{"_meta":{"acp-relay/seq":1},"code":1,"message":""}})")));
}

TEST(InitializeParams, AskForSequenceNumbers) {
  const std::pair<const char*, const char*> table[] = {
      {R"({"protocolVersion":1})",
       R"({"clientCapabilities":{"_meta":{"acp-relay/seq":true}},"protocolVersion":1})"},
      {"", R"({"clientCapabilities":{"_meta":{"acp-relay/seq":true}}})"},
      {R"({"clientCapabilities":{"fs":{}},"x":1e2})",
       R"({"clientCapabilities":{"_meta":{"acp-relay/seq":true},"fs":{}},"x":1e2})"},
      {R"({"clientCapabilities":{"_meta":{"a":1}}})",
       R"({"clientCapabilities":{"_meta":{"acp-relay/seq":true,"a":1}}})"},
      {R"({"clientCapabilities":null})",
       R"({"clientCapabilities":{"_meta":{"acp-relay/seq":true}}})"},
      {R"({"clientCapabilities":{"_meta":{"acp-relay/seq":false}}})",
       R"({"clientCapabilities":{"_meta":{"acp-relay/seq":false}}})"},
  };
  for (const auto& [params, asking] : table) EXPECT_EQ(asking_for_sequence(params), asking);
}

TEST(ResumeParams, HoldWhatIsKnown) {
  Resumption resumption{R"("s1")", R"("/w")", "[{}]", R"(["/x"])", 7, {R"("a-1")", R"("a-2")"}};
  EXPECT_EQ(resume_params(resumption),
            R"({"sessionId":"s1","cwd":"/w","mcpServers":[{}],"additionalDirectories":["/x"],)"
            R"("_meta":{"acp-relay/after":7,"acp-relay/requests":["a-1","a-2"]}})");
  EXPECT_EQ(resume_params({R"("s1")", {}, {}, {}, std::nullopt, {}}),
            R"({"sessionId":"s1","mcpServers":[],"_meta":{"acp-relay/requests":[]}})");
}

TEST(ResumeResult, SaysWhatWasReceived) {
  EXPECT_THAT(received_requests(R"({"_meta":{"acp-relay/requests":["a","b"]}})"),
              Optional(ElementsAre(R"("a")", R"("b")")));
  EXPECT_THAT(received_requests(R"({"_meta":{"acp-relay/requests":[]}})"), Optional(IsEmpty()));
  EXPECT_EQ(received_requests("{}"), std::nullopt);
  EXPECT_EQ(received_requests("null"), std::nullopt);
}

TEST(ResumeResult, SaysWhatIsLost) {
  EXPECT_THAT(lost_requests(R"({"_meta":{"acp-relay/lost":["a"]}})"), ElementsAre(R"("a")"));
  EXPECT_THAT(lost_requests("{}"), IsEmpty());
}

TEST(ResumeResult, SaysWhetherTheAgentRemembers) {
  EXPECT_TRUE(agent_remembers("{}"));
  EXPECT_TRUE(agent_remembers(R"({"_meta":{"acp-relay/cwd":"/"}})"));
  EXPECT_FALSE(agent_remembers(R"({"_meta":{"acp-relay/agentRemembers":false}})"));
}

TEST(InitializeResult, TellsARelayFromOthers) {
  EXPECT_TRUE(knows_marks(R"({"_meta":{"acp-relay":{"version":"1"}}})"));
  EXPECT_FALSE(knows_marks(R"({"_meta":{}})"));
  EXPECT_FALSE(knows_marks(R"({"acp-relay":1})"));
  EXPECT_EQ(most_of_message(R"({"_meta":{"acp-relay":{"maxMessageBytes":7}}})"), 7u);
  for (const char* const result : {R"({"_meta":{"acp-relay":{"maxMessageBytes":-7}}})",
                                   R"({"_meta":{"acp-relay":{}}})", "{}"}) {
    EXPECT_FALSE(most_of_message(result)) << result;
  }
}

}  // namespace
}  // namespace relay::bridge
