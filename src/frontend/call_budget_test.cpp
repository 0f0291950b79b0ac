#include "frontend/call_budget.hpp"

#include <gtest/gtest.h>

namespace relay::frontend {
namespace {

TEST(CallBudget, BoundsTheNumber) {
  CallBudget budget(2, 1000);
  EXPECT_TRUE(budget.take(1));
  EXPECT_TRUE(budget.take(1));
  EXPECT_FALSE(budget.take(0));
  budget.give(1);
  EXPECT_TRUE(budget.take(1));
}

TEST(CallBudget, BoundsTheBytesToTheLast) {
  CallBudget budget(64, 1000);
  EXPECT_TRUE(budget.take(600));
  EXPECT_FALSE(budget.take(401));
  EXPECT_TRUE(budget.take(400));
  budget.give(600);
  EXPECT_TRUE(budget.take(600));
}

}  // namespace
}  // namespace relay::frontend
