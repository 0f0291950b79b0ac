#include "management/cpu_meter.hpp"

#include <gtest/gtest.h>

namespace relay::management {
namespace {

using std::chrono::milliseconds;

const CpuMeter::Clock::time_point kStart{};
const SessionId kOne("sess_1");

CpuReading reading(int at, int used) { return {kStart + milliseconds(at), milliseconds(used)}; }

TEST(CpuMeter, ComparesTwoReadings) {
  const struct {
    CpuReading first, second;
    std::optional<double> percent;
  } cases[] = {
      {reading(0, 0), reading(1'000, 500), 50},
      {reading(0, 700), reading(2'000, 700), 0},
      {reading(0, 0), reading(1'000, 3'000), 300},
      {reading(0, 0), reading(300, 30), 10},
      {reading(0, 0), reading(299, 30), std::nullopt},      // too near
      {reading(0, 0), reading(15'001, 30), std::nullopt},   // too far apart
      {reading(0, 900), reading(1'000, 10), std::nullopt},  // another agent
      {reading(1'000, 0), reading(1'000, 10), std::nullopt},
  };
  for (const auto& row : cases) {
    CpuMeter meter;
    EXPECT_FALSE(meter.take(kOne, row.first));
    const auto percent = meter.take(kOne, row.second);
    ASSERT_EQ(percent.has_value(), row.percent.has_value());
    if (percent) {
      EXPECT_NEAR(*percent, *row.percent, 0.001);
    }
  }
}

TEST(CpuMeter, WaitsForAReadingThatIsFarEnough) {
  CpuMeter meter;
  EXPECT_FALSE(meter.take(kOne, reading(0, 0)));
  EXPECT_FALSE(meter.take(kOne, reading(100, 90)));
  EXPECT_EQ(meter.take(kOne, reading(400, 100)), 25);
}

TEST(CpuMeter, StartsAnewWithAnotherAgent) {
  CpuMeter meter;
  EXPECT_FALSE(meter.take(kOne, reading(0, 5'000)));
  EXPECT_FALSE(meter.take(kOne, reading(100, 10)));
  EXPECT_EQ(meter.take(kOne, reading(1'100, 510)), 50);
}

TEST(CpuMeter, KeepsSessionsApartAndForgetsThem) {
  CpuMeter meter;
  const SessionId two("sess_2");
  EXPECT_FALSE(meter.take(kOne, reading(0, 0)));
  EXPECT_FALSE(meter.take(two, reading(500, 0)));
  meter.forget_before(kStart + milliseconds(500));
  EXPECT_EQ(meter.size(), 1U);
  EXPECT_FALSE(meter.take(kOne, reading(1'000, 500)));
  EXPECT_EQ(meter.take(two, reading(1'500, 100)), 10);
}

}  // namespace
}  // namespace relay::management
