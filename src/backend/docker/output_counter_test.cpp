#include "backend/docker/output_counter.hpp"

#include <gtest/gtest.h>

#include <random>

namespace relay {
namespace {

OutputPosition position_of(std::string_view bytes) {
  OutputCounter counter;
  counter.take(bytes);
  return counter.position();
}

TEST(OutputCounter, CountsCompleteLines) {
  struct Row {
    std::string_view bytes;
    std::uint64_t counted;
    std::string_view first, last;  // empty: none
  };
  const Row rows[] = {
      {"", 0, "", ""},
      {"half", 0, "", ""},
      {"\n", 0, "", ""},
      {"one\n", 3, "one", "one"},
      {"one\ntwo", 3, "one", "one"},
      {"one\ntwo\n", 6, "one", "two"},
      {"one\r\ntwo\n\n \n", 7, "one\r", " "},
      {"\n\none\n\n", 3, "one", "one"},
      {"\na\nb\n\nc\n\n\nhalf", 3, "a", "c"},
      {"h\xc3\xa9\n", 1, "h\xc3\xa9", "h\xc3\xa9"},
      {"\xc3\xa9\n", 0, "", ""},
      {"a\tb\n", 2, "a\tb", "a\tb"},
  };
  for (const Row& row : rows) {
    const OutputPosition position = position_of(row.bytes);
    EXPECT_EQ(position.bytes, row.counted) << row.bytes;
    EXPECT_EQ(position.first_line, row.first.empty() ? 0 : line_fingerprint(row.first))
        << row.bytes;
    EXPECT_EQ(position.last_line, row.last.empty() ? 0 : line_fingerprint(row.last)) << row.bytes;
  }
}

TEST(OutputCounter, GoesOnFromAPosition) {
  OutputCounter counter(position_of("one\ntwo\n"));
  counter.take("three\n");
  EXPECT_EQ(counter.position(), position_of("one\ntwo\nthree\n"));
}

TEST(OutputCounter, SaysTheSameHoweverTheStreamIsCut) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (auto lines = random() % 6; lines > 0; --lines) {
      for (auto size = random() % (random() % 4 == 0 ? 1000 : 5); size > 0; --size) {
        text += static_cast<char>("abc\xc3\xa9\t"[random() % 6]);
      }
      text += '\n';
    }
    text.resize(text.size() - std::min<std::size_t>(text.size(), random() % 3));
    OutputCounter counter;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 300;
      counter.take(std::string_view(text).substr(at, size));
      at += size;
    }
    EXPECT_EQ(counter.position(), position_of(text)) << text;
  }
}

TEST(LineFingerprint, TellsLinesApartByTheirEnds) {
  const std::string middle(1'000, 'x');
  EXPECT_NE(line_fingerprint("1" + middle), line_fingerprint("2" + middle));
  EXPECT_NE(line_fingerprint(middle + "1"), line_fingerprint(middle + "2"));
  EXPECT_NE(line_fingerprint(""), 0U);
}

}  // namespace
}  // namespace relay
