#include "cli/terminal_text.hpp"

#include <gtest/gtest.h>

namespace relay::cli {
namespace {

TEST(TerminalText, ShowsControlCharactersInsteadOfObeyingThem) {
  EXPECT_EQ(visible("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(visible("\x1b[31mred\x1b[0m"), "?[31mred?[0m");
  EXPECT_EQ(visible("\r\x07\x7f"), "???");
  EXPECT_EQ(visible("\xC2\x9B"
                    "2J"),
            "?2J");
  EXPECT_EQ(visible("gr\xC3\xBC\xC3\x9F \xC2\xA0"), "gr\xC3\xBC\xC3\x9F \xC2\xA0");
}

TEST(TerminalText, CutsLinesBetweenCharacters) {
  EXPECT_EQ(one_line("a\nb", 10), "a b");
  EXPECT_EQ(one_line("abcdef", 3), "abc...");
  EXPECT_EQ(one_line("\xC3\xBC\xC3\xBC\xC3\xBC", 2), "\xC3\xBC\xC3\xBC...");
  EXPECT_EQ(one_line("\xC3\xBC\xC3\xBC", 2), "\xC3\xBC\xC3\xBC");
}

TEST(TerminalText, AlignsTablesByCharacters) {
  EXPECT_EQ(table({"ID", "NAME"}, {{"\xC3\xBC", "x"}, {"long", ""}, {"short"}}),
            "ID     NAME\n\xC3\xBC      x\nlong\nshort\n");
}

}  // namespace
}  // namespace relay::cli
