#include "backend/process/environment.hpp"
#include "backend/stderr_tail.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Environment, InheritsOnlyTheListedNames) {
  const char* const entries[] = {"PATH=/bin", "HOME=/root",  "SECRET=1", "LC_ALL=C",
                                 "LCX=1",     "PATHS=/nope", "broken",   nullptr};
  EXPECT_THAT(inherited_environment(entries),
              ElementsAre(Pair("PATH", "/bin"), Pair("HOME", "/root"), Pair("LC_ALL", "C")));
}

TEST(Environment, HasAPathInAnyCase) {
  EXPECT_THAT(inherited_environment(nullptr),
              ElementsAre(Pair("PATH", "/usr/local/bin:/usr/bin:/bin")));
}

TEST(Environment, LetsLaterListsWin) {
  EXPECT_THAT(merge_environments({{"A", "1"}, {"B", "1"}}, {{"B", "2"}, {"C", "2"}, {"C", "3"}},
                                 {{"A", "4"}}),
              ElementsAre(Pair("A", "4"), Pair("B", "2"), Pair("C", "3")));
}

TEST(StderrTail, KeepsEverythingThatFits) {
  StderrTail tail(10);
  EXPECT_EQ(tail.text(), "");
  tail.append("abc\n");
  tail.append("defghi");
  EXPECT_EQ(tail.text(), "abc\ndefghi");
}

TEST(StderrTail, StartsAtALineWhenBytesAreGone) {
  StderrTail tail(10);
  tail.append("first\nsecond\n");
  EXPECT_EQ(tail.text(), "second\n");
  tail.append("0123456789ABCDEFGHIJKLM");
  EXPECT_EQ(tail.text(), "DEFGHIJKLM");
}

TEST(StderrTail, KeepsTheLastBytesHoweverTheyCome) {
  const std::string whole = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (std::size_t piece = 1; piece < whole.size(); ++piece) {
    StderrTail tail(7);
    for (std::size_t at = 0; at < whole.size(); at += piece) tail.append(whole.substr(at, piece));
    EXPECT_EQ(tail.text(), "tuvwxyz") << piece;
  }
}

TEST(StderrLines, JoinsPiecesAndSkipsEmptyLines) {
  StderrLines lines(50);
  const StderrLines::Time now{};
  EXPECT_THAT(lines.push("a", now).lines, IsEmpty());
  EXPECT_THAT(lines.push("b\r\n\nc\nd", now).lines, ElementsAre("ab", "c"));
  EXPECT_THAT(lines.finish(now).lines, ElementsAre("d"));
}

TEST(StderrLines, LetsSoManyThroughASecondAndCountsTheRest) {
  StderrLines lines(2);
  const StderrLines::Time now = StderrLines::Time{} + 10s;
  EXPECT_THAT(lines.push("1\n2\n3\n4\n", now).lines, ElementsAre("1", "2"));
  const StderrLines::Output next = lines.push("5\n", now + 1s);
  EXPECT_THAT(next.lines, ElementsAre("5"));
  EXPECT_EQ(next.suppressed, 2U);
  lines.push("6\n7\n8\n", now + 1500ms);
  EXPECT_EQ(lines.finish(now + 1600ms).suppressed, 2U);
}

TEST(StderrLines, CutsLongLines) {
  StderrLines lines(50);
  const auto output = lines.push(std::string(10000, 'x') + "\n", StderrLines::Time{});
  ASSERT_EQ(output.lines.size(), 1U);
  EXPECT_EQ(output.lines[0].size(), StderrLines::kMaxLineBytes);
}

}  // namespace
}  // namespace relay
