#include "storage/held_back.hpp"

#include <gtest/gtest.h>

namespace relay::storage {
namespace {

using namespace std::chrono_literals;

constexpr HeldBack::Clock::time_point kBegin{1h};

// Notes `times` that too much waits for `behind`, then for `calm` that it does not.
HeldBack::Clock::time_point note_turns(HeldBack& held, int times, HeldBack::Clock::time_point at,
                                       std::chrono::milliseconds behind,
                                       std::chrono::milliseconds calm) {
  for (int turn = 0; turn < times; ++turn) {
    held.note(true, at);
    held.note(false, at + behind);
    at += behind + calm;
  }
  return at;
}

TEST(HeldBack, LastsWhileTooMuchWaits) {
  HeldBack held;
  EXPECT_EQ(held.note(false, kBegin), 0s);
  EXPECT_EQ(held.note(true, kBegin + 10s), 0s);
  EXPECT_EQ(held.note(true, kBegin + 50s), 40s) << "also when nothing was noted meanwhile";
  EXPECT_EQ(held.note(false, kBegin + 60s), 50s) << "until then it was so";
  EXPECT_EQ(held.note(false, kBegin + 62s), 0s);
  EXPECT_EQ(held.note(true, kBegin + 70s), 0s) << "begins anew";
  EXPECT_EQ(held.note(true, kBegin + 71s), 1s);
}

// As where each commit makes room that is filled before the next.
TEST(HeldBack, GoesOnWhenItEndedForAMomentOnly) {
  for (const auto& [behind, calm] : {std::pair{600ms, 300ms}, std::pair{33ms, 67ms}}) {
    HeldBack held;
    const auto at = note_turns(held, 400, kBegin, behind, calm);
    EXPECT_EQ(held.note(true, at), at - kBegin) << behind.count() << " of " << calm.count();
  }
}

// Of a disk that keeps up: a large message is on its way to it now and then.
TEST(HeldBack, IsOverWhenTheCalmBehindItIsMuchLonger) {
  HeldBack held;
  for (auto at = kBegin; at < kBegin + 40s; at += 500ms) {
    EXPECT_EQ(held.note(true, at), 0s);
    EXPECT_EQ(held.note(false, at + 5ms), 5ms);
  }
}

TEST(HeldBack, IsOverSoonHoweverLongItHasLasted) {
  HeldBack held;
  const auto calmer = note_turns(held, 1, kBegin, 1h, 495ms);
  const auto at = note_turns(held, 4, calmer, 5ms, 495ms);
  EXPECT_EQ(held.note(true, at), 0s);
}

}  // namespace
}  // namespace relay::storage
