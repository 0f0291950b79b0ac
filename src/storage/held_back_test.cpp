#include "storage/held_back.hpp"

#include <gtest/gtest.h>

namespace relay::storage {
namespace {

using namespace std::chrono_literals;

TEST(HeldBack, LastsWhileTooMuchWaits) {
  const HeldBack::Clock::time_point begin{1h};
  HeldBack held;
  EXPECT_EQ(held.note(false, begin), 0s);
  EXPECT_EQ(held.note(true, begin + 10s), 0s);
  EXPECT_EQ(held.note(true, begin + 50s), 40s) << "also when nothing was noted meanwhile";
  EXPECT_EQ(held.note(false, begin + 60s), 50s) << "until then it was so";
  EXPECT_EQ(held.note(false, begin + 62s), 0s);
  EXPECT_EQ(held.note(true, begin + 70s), 0s) << "begins anew";
  EXPECT_EQ(held.note(true, begin + 71s), 1s);
}

TEST(HeldBack, GoesOnWhenItEndedForAMomentOnly) {
  const HeldBack::Clock::time_point begin{1h};
  HeldBack held;
  held.note(true, begin);
  for (std::chrono::milliseconds at = 500ms; at < 40s; at += 900ms) {
    held.note(false, begin + at);
    held.note(true, begin + at + 300ms);
  }
  EXPECT_EQ(held.note(true, begin + 41s), 41s);
}

// Of a disk that keeps up: a large message is on its way to it now and then.
TEST(HeldBack, IsOverWhenItWasShorterThanTheCalmBehindIt) {
  const HeldBack::Clock::time_point begin{1h};
  HeldBack held;
  for (std::chrono::milliseconds at{0}; at < 40s; at += 500ms) {
    EXPECT_EQ(held.note(true, begin + at), 0s);
    EXPECT_EQ(held.note(false, begin + at + 5ms), 5ms);
  }
}

}  // namespace
}  // namespace relay::storage
