#include "backend/docker/output_rounds.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(OutputRounds, PauseLongerEachTimeUntilTheyAreInVain) {
  OutputRounds rounds;
  auto expected = OutputRounds::kFirstPause;
  for (int round = 1; round <= OutputRounds::kMost; ++round) {
    rounds.end_round(false);
    EXPECT_EQ(rounds.pause(), expected) << round;
    EXPECT_EQ(rounds.in_vain(), round == OutputRounds::kMost) << round;
    expected = std::min(expected * 2, OutputRounds::kLongestPause);
  }
  EXPECT_EQ(rounds.pause(), OutputRounds::kLongestPause);
  rounds.end_round(false);
  EXPECT_FALSE(rounds.in_vain()) << "the other way begins anew";
  EXPECT_EQ(rounds.pause(), OutputRounds::kFirstPause);
}

TEST(OutputRounds, BeginAnewWithProgress) {
  OutputRounds rounds;
  for (int round = 0; round < 100; ++round) {
    rounds.end_round(round % 3 == 0);
    EXPECT_FALSE(rounds.in_vain());
  }
  rounds.end_round(true);
  EXPECT_EQ(rounds.pause(), OutputRounds::kFirstPause);
}

}  // namespace
}  // namespace relay
