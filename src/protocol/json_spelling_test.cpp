#include "protocol/json_spelling.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(JsonSpelling, TakesOneLayerOfEscapesOff) {
  const std::pair<std::string_view, std::string> kTable[] = {
      {R"(a\/b)", "a/b"},
      {R"(\u0026\u00e4\u00E4)", "&\xC3\xA4\xC3\xA4"},
      {R"(\ud83d\uDE00)", "\xF0\x9F\x98\x80"},
      {R"(\ud83d!)", "\xEF\xBF\xBD!"},
      {R"(\\n \n)", "\\n \n"},
      {R"(\x \u12 \)", R"(\x \u12 \)"},
  };
  for (const auto& [from, to] : kTable) {
    const Unescaped result = unescaped(from);
    EXPECT_EQ(result.text, to) << from;
    EXPECT_EQ(result.from.size(), to.size() + 1);
    EXPECT_EQ(result.from.back(), from.size());
  }
}

TEST(JsonSpelling, KnowsWhereEveryByteCameFrom) {
  const Unescaped result = unescaped(R"(a\u00e4b)");
  EXPECT_EQ(result.from, (std::vector<std::uint32_t>{0, 1, 1, 7, 8}));
}

TEST(JsonSpelling, ARangeTakesTheEscapesThatItCuts) {
  const std::string_view text = R"(a\u0041b\\n)";
  const std::array<std::array<std::size_t, 4>, 5> kTable{
      {{0, 1, 0, 1}, {2, 4, 1, 7}, {7, 8, 7, 8}, {9, 10, 8, 10}, {10, 11, 10, 11}}};
  for (const auto& [begin, end, wanted_begin, wanted_end] : kTable) {
    const ByteRange range = with_whole_escapes(text, {begin, end});
    EXPECT_EQ(range.begin, wanted_begin) << begin;
    EXPECT_EQ(range.end, wanted_end) << begin;
  }
}

TEST(EscapeFilter, LetsOrdinaryTextsPass) {
  EscapeFilter filter;
  filter.add("sk-abc/def");
  for (const char* text : {"", R"(a\nb)", R"({\"a\":\"b\\n\"})", R"(C:\\users\\ada)",
                           R"(\u001b[31m)", R"(\u00e4)", R"(x\/y)", "\\", R"(\x)"}) {
    EXPECT_FALSE(filter.may_spell_a_word(text)) << text;
  }
}

TEST(EscapeFilter, SeesEverySpelling) {
  EscapeFilter filter;
  filter.add("sk-abc/def");
  for (const char* text : {R"(\u0073k)", R"(s\u006b)", R"(abc\/def)", R"(\u0063\u002f)",
                           R"(sk\\u002d)", R"(c\\\/d)", R"(\u005cu0073)"}) {
    EXPECT_TRUE(filter.may_spell_a_word(text)) << text;
  }
}

}  // namespace
}  // namespace relay
