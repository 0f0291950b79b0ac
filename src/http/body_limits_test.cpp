#include "http/body_budget.hpp"
#include "http/body_pace.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace relay::http {
namespace {

using namespace std::chrono_literals;

TEST(BodyBudget, IsSharedToItsLastByte) {
  BodyBudget budget(100);
  std::optional<BodyBudget::Share> one(&budget);
  BodyBudget::Share other(&budget);
  EXPECT_TRUE(one->resize(60));
  EXPECT_EQ(budget.used(), 60U);
  EXPECT_TRUE(other.resize(40));
  EXPECT_FALSE(other.resize(41));
  EXPECT_EQ(budget.used(), 100U);
  one.reset();
  EXPECT_EQ(budget.used(), 40U);
  EXPECT_TRUE(other.resize(100));
  EXPECT_FALSE(other.resize(static_cast<std::size_t>(-1)));
  EXPECT_TRUE(other.resize(30));
  EXPECT_EQ(budget.used(), 30U);
}

TEST(BodyBudget, MayBeAbsent) { EXPECT_TRUE(BodyBudget::Share(nullptr).resize(1u << 30)); }

TEST(BodyPace, LimitsPauseAndRateAndTheWhole) {
  BodyPace pace;
  pace.pause = 10s;
  pace.total = 100s;
  pace.least_rate = 1000;
  const BodyPace::Clock::time_point zero{};
  struct Row {
    std::chrono::seconds now;
    std::size_t received;
    std::chrono::milliseconds deadline;
  };
  const Row table[] = {
      {1s, 0, 11s},            // the pause
      {5s, 0, 11s},            // nothing has come in all the time: the rate
      {9s, 2'000, 13s},        // two seconds more for two thousand bytes
      {30s, 1'000'000, 40s},   // quick enough: the pause again
      {95s, 1'000'000, 100s},  // the whole
  };
  for (const Row& row : table) {
    EXPECT_EQ(pace.deadline(zero, zero + 1s, row.received, zero + row.now) - zero, row.deadline);
  }
  pace.least_rate = 0;
  EXPECT_EQ(pace.deadline(zero, zero + 1s, 0, zero + 50s) - zero, 60s);
}

}  // namespace
}  // namespace relay::http
