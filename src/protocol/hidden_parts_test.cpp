#include "protocol/hidden_parts.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relay {
namespace {

// The text with the word hidden in it: <> for a range, <value> for a value.
std::string hidden(std::string_view text, std::string_view word) {
  std::vector<ByteRange> ranges;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    ranges.push_back({at, at + word.size()});
  }
  std::string out;
  std::size_t at = 0;
  for (const HiddenPart& part : hidden_parts(text, ranges)) {
    if (part.range.begin < at) continue;
    out.append(text, at, part.range.begin - at).append(part.is_value ? "<value>" : "<>");
    at = part.range.end;
  }
  return out.append(text, at);
}

TEST(HiddenParts, OfStringsAreTheRangesThemselves) {
  EXPECT_EQ(hidden(R"({"a12":["b12","12"],"c":"\"12"})", "12"),
            R"({"a<>":["b<>","<>"],"c":"\"<>"})");
}

TEST(HiddenParts, OfNumbersAreTheWholeNumbers) {
  EXPECT_EQ(hidden(R"({"a":123,"b": [-12.5e+3 , 1e12, 0.12],"c":13})", "12"),
            R"({"a":<value>,"b": [<value> , <value>, <value>],"c":13})");
  EXPECT_EQ(hidden(R"({"a":121212})", "12"), R"({"a":<value>})");
  EXPECT_EQ(hidden(R"([true,null])", "rue"), R"([<value>,null])");
}

TEST(HiddenParts, LeaveTheNumberOfAMessage) {
  EXPECT_EQ(hidden(R"({"jsonrpc":"2.0","id":12,"params":{"id":12}})", "12"),
            R"({"jsonrpc":"2.0","id":12,"params":{"id":<value>}})");
  EXPECT_EQ(hidden(R"({"id":-12,"jsonrpc":"2.0"})", "12"), R"({"id":-12,"jsonrpc":"2.0"})");
  EXPECT_EQ(hidden(R"({"jsonrpc":"2.0","id":"12"})", "12"), R"({"jsonrpc":"2.0","id":"<>"})");
  // No messages.
  EXPECT_EQ(hidden(R"({"id":12,"a":12})", "12"), R"({"id":<value>,"a":<value>})");
  EXPECT_EQ(hidden(R"(["jsonrpc","id",12])", "12"), R"(["jsonrpc","id",<value>])");
  EXPECT_EQ(hidden("{\"jsonrpc\":1}\n{\"id\":12}", "12"), "{\"jsonrpc\":1}\n{\"id\":<value>}");
}

TEST(HiddenParts, OfMoreThanOneTokenAreTheSmallestValueAround) {
  EXPECT_EQ(hidden(R"({"a":{"k":"v"},"b":[{"k":"v"}]})", R"({"k":"v"})"),
            R"({"a":<value>,"b":[<value>]})");
  EXPECT_EQ(hidden(R"({"a":"key","key":2})", R"("key")"), R"({"a":<value>,<value>:2})");
  EXPECT_EQ(hidden(R"({"a":["x","y",3],"b":4})", R"(","y)"), R"({"a":<value>,"b":4})");
  EXPECT_EQ(hidden(R"({"a":[1],"b":4})", R"(],"b)"), "<value>");
}

TEST(HiddenParts, OfOtherTextsAreTheRangesThemselves) {
  for (const char* text : {"123", "x 123", "[12] 123 bytes", "{12", "[12]]", "{\"a\":12]", "[012]",
                           "[1.2.12]", "\"12", "[x12]", ""}) {
    std::string expected = text;
    for (auto at = expected.find("12"); at != std::string::npos; at = expected.find("12", at)) {
      expected.replace(at, 2, "<>");
    }
    EXPECT_EQ(hidden(text, "12"), expected) << text;
  }
}

TEST(HiddenParts, MayLieInSeveralJsonTexts) {
  EXPECT_EQ(hidden("{\"a\":12}\n[\"12\"]\n", "12"), "{\"a\":<value>}\n[\"<>\"]\n");
}

TEST(HiddenParts, ThatOverlapAreOne) {
  EXPECT_EQ(hidden(R"(["xaaax"])", "aa"), R"(["x<>x"])");
  EXPECT_EQ(hidden("xaaax", "aa"), "x<>x");
  EXPECT_EQ(hidden("xabab", "ab"), "x<><>") << "those that touch are not";
}

}  // namespace
}  // namespace relay
