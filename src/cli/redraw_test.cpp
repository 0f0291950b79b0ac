#include "cli/redraw.hpp"

#include "cli/quantities.hpp"

#include <gtest/gtest.h>

namespace relay::cli {
namespace {

TEST(Redraw, CutsWhatDoesNotFit) {
  const struct {
    const char* text;
    TerminalSize size;
    const char* drawn;
  } cases[] = {
      {"", {80, 24}, "\x1b[H\x1b[J"},
      {"one\n\ntwo\n", {80, 24}, "\x1b[Hone\x1b[K\r\n\x1b[K\r\ntwo\x1b[K\r\n\x1b[J"},
      {"abcdef", {3, 24}, "\x1b[Habc\x1b[K\r\n\x1b[J"},
      {"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC",
       {2, 24},
       "\x1b[H\xE2\x82\xAC\xE2\x82\xAC\x1b[K\r\n\x1b[J"},
      {"a\nb\nc\nd\n", {80, 5}, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\nd\x1b[K\r\n\x1b[J"},
      {"a\nb\nc\nd\n", {80, 4}, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n... 2 more lines\x1b[K\r\n\x1b[J"},
      {"a\nb\nc\n", {0, 0}, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\n\x1b[J"},
      {"a\nb\nc\n", {80, 1}, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\n\x1b[J"},
  };
  for (const auto& row : cases) EXPECT_EQ(redraw(row.text, row.size), row.drawn) << row.text;
}

TEST(Quantities, AreWrittenForPersons) {
  const struct {
    std::uint64_t bytes;
    const char* words;
  } sizes[] = {
      {0, "0 B"},           {1023, "1023 B"},        {1024, "1.0 KiB"},       {1536, "1.5 KiB"},
      {1048575, "1.0 MiB"}, {2147483648, "2.0 GiB"}, {UINT64_MAX, "16.0 EiB"}};
  for (const auto& row : sizes) EXPECT_EQ(size_words(row.bytes), row.words);
  const struct {
    std::int64_t seconds;
    const char* words;
  } ages[] = {{-3, "0s"},         {0, "0s"},         {59, "59s"},      {60, "1m 0s"},
              {3'599, "59m 59s"}, {3'600, "1h 0m"},  {7'500, "2h 5m"}, {86'399, "23h 59m"},
              {86'400, "1d 0h"},  {273'600, "3d 4h"}};
  for (const auto& row : ages) EXPECT_EQ(age_words(std::chrono::seconds(row.seconds)), row.words);
}

}  // namespace
}  // namespace relay::cli
