#include "protocol/splice.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Splice, ReplacesInAnyOrderAndKeepsTheRest) {
  Edits edits;
  edits.push_back({{4, 1}, "XYZ"});
  edits.push_back({{0, 2}, ""});
  edits.push_back({{6, 0}, "!"});
  EXPECT_EQ(splice("ab3d5f", edits), "3dXYZf!");
}

TEST(TranslateSession, ReplacesOnlyReferencesToTheSession) {
  const auto frame = Frame::parse(
      R"({"jsonrpc":"2.0","method":"m","params":{"sessionId":"1","other":{"sessionId":"2"},"n":"1","b":18446744073709551616}})",
      {});
  ASSERT_TRUE(frame);
  Edits edits;
  translate_session(*frame, "\"1\"", "\"sess_x\"", edits);
  EXPECT_EQ(
      splice(frame->bytes(), edits),
      R"({"jsonrpc":"2.0","method":"m","params":{"sessionId":"sess_x","other":{"sessionId":"2"},"n":"1","b":18446744073709551616}})");
}

TEST(TranslateSession, ReplacesAnyNumberOfReferences) {
  const auto message = [](const std::string& id) {
    std::string list;
    for (int i = 0; i < 20'000; ++i) {
      list += (i == 0 ? R"({"sessionId":")" : R"(,{"sessionId":")") + id + "\"}";
    }
    return R"({"jsonrpc":"2.0","method":"m","params":[)" + list + "]}";
  };
  const auto frame = Frame::parse(message("1"), {});
  ASSERT_TRUE(frame);
  Edits edits;
  translate_session(*frame, "\"1\"", "\"sess_x\"", edits);
  EXPECT_EQ(splice(frame->bytes(), edits), message("sess_x"));
}

TEST(TranslateSession, LeavesWhatIsReplacedAlready) {
  const std::string id = R"("sess_00112233445566778899aabbccddeeff")";
  const auto frame = Frame::parse(
      R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"m","params":[)" + id + "]}", {});
  ASSERT_TRUE(frame);
  Edits edits;
  edits.push_back({frame->envelope().id, "7"});
  translate_session(*frame, id, "\"x\"", edits);
  EXPECT_EQ(splice(frame->bytes(), edits),
            R"({"jsonrpc":"2.0","id":7,"method":"m","params":["x"]})");
}

TEST(Splice, GivesTheSameInTheBytesOfAFrame) {
  const std::string id(64, 'i');
  const std::string text =
      R"({"jsonrpc":"2.0","method":"m","params":{"sessionId":"1","otherSessionId":"1","n":[1]}})";
  for (const std::string& to : {std::string(R"("")"), std::string(R"("2")"), '"' + id + '"'}) {
    const auto frame = Frame::parse(text, {});
    ASSERT_TRUE(frame);
    Edits edits;
    translate_session(*frame, "\"1\"", to, edits);
    for (const bool more : {false, true}) {
      if (more) edits.push_back({frame->envelope().method, "another"});
      EXPECT_EQ(splice(*frame, edits), splice(frame->bytes(), edits));
    }
  }
}

}  // namespace
}  // namespace relay
