#include "egress/log_pace.hpp"

#include <gtest/gtest.h>

namespace relay::egress {
namespace {

TEST(LogPace, LeavesOutAndCountsWhatIsTooMuch) {
  LogPace pace;
  const LogPace::Time now{};
  for (unsigned i = 0; i < LogPace::kLinesInWindow; ++i) EXPECT_EQ(pace.admit(now), 0U);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(pace.admit(now + LogPace::kWindow / 2));
  EXPECT_EQ(pace.admit(now + LogPace::kWindow), 3U);
  EXPECT_EQ(pace.admit(now + LogPace::kWindow), 0U);
}

}  // namespace
}  // namespace relay::egress
