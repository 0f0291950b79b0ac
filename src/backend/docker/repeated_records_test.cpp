#include "backend/docker/repeated_records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace relay {
namespace {

using ::testing::ElementsAre;

// What is left of records with these times.
std::vector<std::int64_t> kept(const std::vector<std::int64_t>& times) {
  RepeatedRecords records;
  std::vector<std::int64_t> left;
  for (const std::int64_t time : times) {
    if (!records.is_repeated(time)) left.push_back(time);
  }
  return left;
}

TEST(RepeatedRecords, GoOnceWhereALogWasRotated) {
  EXPECT_THAT(kept({1, 2, 3}), ElementsAre(1, 2, 3));
  EXPECT_THAT(kept({1, 2, 3, 2, 3, 4}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(kept({1, 2, 3, 4, 3, 4, 5, 2, 3, 4, 5, 6}), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(RepeatedRecords, MayHaveSeveralParts) {
  EXPECT_THAT(kept({1, 2, 2, 2, 3}), ElementsAre(1, 2, 2, 2, 3));
  EXPECT_THAT(kept({1, 2, 2, 3, 3, 2, 2, 3, 3, 4}), ElementsAre(1, 2, 2, 3, 3, 4));
}

TEST(RepeatedRecords, AreNoneAfterTheClockWasSetBack) {
  EXPECT_THAT(kept({100, 200, 50, 60, 200, 210}), ElementsAre(100, 200, 50, 60, 200, 210));
}

TEST(RepeatedRecords, AreRememberedInABoundedNumber) {
  RepeatedRecords records;
  const auto all = static_cast<std::int64_t>(RepeatedRecords::kRemembered);
  for (std::int64_t time = 0; time <= all; ++time) EXPECT_FALSE(records.is_repeated(time));
  EXPECT_TRUE(records.is_repeated(1));
  EXPECT_FALSE(records.is_repeated(0));  // forgotten
}

TEST(RecordTime, GrowsWithTime) {
  const char* const times[] = {"1999-12-31T23:59:59.999999999Z", "2026-01-31T00:00:00.000000000Z",
                               "2026-02-01T00:00:00.000000000Z", "2026-02-01T00:00:00.000000001Z",
                               "2026-02-01T00:00:01.000000000Z", "2199-12-31T23:59:59.999999999Z"};
  for (std::size_t i = 1; i < std::size(times); ++i) {
    EXPECT_LT(*record_time(times[i - 1]), *record_time(times[i])) << times[i];
  }
  for (const char* odd : {"", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00.000000000+", "x",
                          "2026-02-01 00:00:00.000000000Z", "202x-02-01T00:00:00.000000000Z"}) {
    EXPECT_FALSE(record_time(odd)) << odd;
  }
}

}  // namespace
}  // namespace relay
