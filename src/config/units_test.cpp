#include "config/units.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace relay::config {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsEveryUnitAndPlainSeconds) {
  struct Row {
    std::string text;
    std::int64_t ms;
  };
  const std::vector<Row> rows{
      {"500ms", 500},
      {"30s", 30'000},
      {"2m", 120'000},
      {"1h", 3'600'000},
      {"10", 10'000},
      {"0", 0},
      {"0s", 0},
      {"0.5", 500},
      {"1.5h", 5'400'000},
      {"0.25s", 250},
      {"0.0009s", 0},
      {"1.5ms", 1},
      {"007s", 7'000},
      {"8784h", 31'622'400'000},
      {"0.3333333333333333333333333333s", 333},
  };
  for (const Row& row : rows) {
    const auto parsed = parse_duration(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(parsed->count(), row.ms) << row.text;
  }
}

TEST(Duration, RefusesWhatIsMalformedNegativeOrTooLong) {
  for (const char* text : {"",
                           "s",
                           "-1s",
                           "+1s",
                           "1d",
                           "1 s",
                           " 1s",
                           "1s ",
                           "1h30m",
                           "1.s",
                           ".5s",
                           "1e3",
                           "1S",
                           "0x10",
                           "8785h",
                           "99999999999999999999s",
                           "18446744073709551615h",
                           "nan",
                           "inf",
                           "1..5s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, IsPrintedSoThatItReadsBack) {
  for (const std::int64_t ms : {0, 1, 999, 1000, 1500, 60'000, 90'000, 3'600'000, 5'400'000}) {
    const milliseconds duration{ms};
    EXPECT_EQ(parse_duration(format_duration(duration)), duration) << format_duration(duration);
    EXPECT_EQ(parse_duration(format_seconds(duration)), duration) << format_seconds(duration);
  }
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(120'000)), "2m");
  EXPECT_EQ(format_seconds(milliseconds(1'050)), "1.05");
}

TEST(Size, ReadsEveryUnitInEverySpelling) {
  struct Row {
    std::string text;
    std::uint64_t bytes;
  };
  const std::vector<Row> rows{
      {"0", 0},
      {"33554432", 33'554'432},
      {"1k", 1024},
      {"1K", 1024},
      {"64Ki", 65'536},
      {"512m", 512ull << 20},
      {"2G", 2ull << 30},
      {"2Gi", 2ull << 30},
      {"2gi", 2ull << 30},
      {"1T", 1ull << 40},
      {"9223372036854775807", 9'223'372'036'854'775'807ull},
      {"8388607T", 8'388'607ull << 40},
  };
  for (const Row& row : rows) {
    const auto parsed = parse_size(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, row.bytes) << row.text;
  }
}

TEST(Size, RefusesWhatIsMalformedNegativeOrOverflows) {
  for (const char* text :
       {"", "M", "-1", "+1", "1.5G", "1 G", "1GB", "1B", "1Mib", "1i", "1P", "0x1", "8388608T",
        "9223372036854775808", "18446744073709551616", "1e9"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Size, IsPrintedInTheLargestUnitThatFits) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(1536), "1536");
  EXPECT_EQ(format_size(64u << 10), "64K");
  EXPECT_EQ(format_size(1536ull << 20), "1536M");
  EXPECT_EQ(format_size(1ull << 40), "1T");
}

}  // namespace
}  // namespace relay::config
