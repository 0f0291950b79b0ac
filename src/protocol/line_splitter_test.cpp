#include "protocol/line_splitter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Split {
  std::vector<std::string> lines;
  std::uint64_t oversized = 0;
};

// The lines of `input` when it arrives `piece` bytes at a time.
Split split(std::string_view input, std::size_t piece, std::size_t limit = 8) {
  LineSplitter splitter(limit);
  Split result;
  while (!input.empty()) {
    const std::size_t taken = std::min(piece, input.size());
    splitter.push(input.substr(0, taken), result.lines);
    input.remove_prefix(taken);
  }
  splitter.finish(result.lines);
  result.oversized = splitter.take_oversized();
  return result;
}

struct Case {
  const char* name;
  std::string input;
  std::vector<std::string> lines;
  std::uint64_t oversized;
};

class LineSplitterCases : public testing::TestWithParam<Case> {};

TEST_P(LineSplitterCases, GivesTheSameLinesHoweverTheStreamIsCut) {
  const Case& expected = GetParam();
  for (std::size_t piece = 1; piece <= expected.input.size() + 1; ++piece) {
    const Split actual = split(expected.input, piece);
    EXPECT_EQ(actual.lines, expected.lines) << "piece of " << piece;
    EXPECT_EQ(actual.oversized, expected.oversized) << "piece of " << piece;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, LineSplitterCases,
    testing::Values(Case{"Nothing", "", {}, 0}, Case{"OneLine", "abc\n", {"abc"}, 0},
                    Case{"Several", "a\nb\nc\n", {"a", "b", "c"}, 0},
                    Case{"CarriageReturn", "a\r\nb\r\n", {"a", "b"}, 0},
                    Case{"CarriageReturnInside", "a\rb\n", {"a\rb"}, 0},
                    Case{"Blank", "\n\r\n  \n\t\r\na\n\n", {"a"}, 0},
                    Case{"Unterminated", "a\nbc", {"a", "bc"}, 0},
                    Case{"UnterminatedCarriageReturn", "a\r", {"a"}, 0},
                    Case{"AtTheLimit", "12345678\n12345678\r\n", {"12345678", "12345678"}, 0},
                    Case{"OneOver", "a\n123456789\nb\n", {"a", "b"}, 1},
                    Case{"OneOverUnterminated", "123456789", {}, 1},
                    Case{"FarOver", "0123456789012345678901234567\nb\n", {"b"}, 1},
                    Case{"TwoOver", "01234567890\n01234567890\nb", {"b"}, 2},
                    Case{"OverAtTheEnd", "b\n01234567890123", {"b"}, 1},
                    Case{"NulBytes", std::string("a\0b\n", 4), {std::string("a\0b", 3)}, 0}),
    [](const auto& info) { return info.param.name; });

TEST(LineSplitter, LeavesSpareCapacityAfterEveryLine) {
  for (const std::size_t piece : {1UL, 3UL, 100UL}) {
    for (const std::string& line : split("a\nbcdefg\nhijklmno\nlast", piece).lines) {
      EXPECT_GE(line.capacity() - line.size(), LineSplitter::kSlack) << line;
    }
  }
}

TEST(LineSplitter, ReportsOversizedLinesOnce) {
  LineSplitter splitter(2);
  std::vector<std::string> lines;
  splitter.push("abcdef\nabc\n", lines);
  EXPECT_THAT(lines, IsEmpty());
  EXPECT_EQ(splitter.take_oversized(), 2U);
  EXPECT_EQ(splitter.take_oversized(), 0U);
}

TEST(LineSplitter, HoldsNoMoreThanTheLimitOfALineThatNeverEnds) {
  LineSplitter splitter(1000);
  std::vector<std::string> lines;
  const std::string piece(300, 'x');
  for (int i = 0; i < 1000; ++i) {
    splitter.push(piece, lines);
    EXPECT_LE(splitter.held_bytes(), 1001U);
  }
  splitter.push("\nnext\n", lines);
  EXPECT_THAT(lines, ElementsAre("next"));
  EXPECT_EQ(splitter.take_oversized(), 1U);
}

}  // namespace
}  // namespace relay
