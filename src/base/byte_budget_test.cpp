#include "base/byte_budget.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace relay {
namespace {

TEST(ByteBudget, GivesToTheLastByteAndNotOneMore) {
  ByteBudget budget(10);
  EXPECT_TRUE(budget.take(4));
  EXPECT_FALSE(budget.take(7));
  EXPECT_EQ(budget.used(), 4u) << "nothing was taken";
  EXPECT_TRUE(budget.take(6));
  EXPECT_FALSE(budget.take(1));
  EXPECT_TRUE(budget.take(0));
  budget.give(10);
  EXPECT_TRUE(budget.take(10));
  EXPECT_FALSE(budget.take(std::numeric_limits<std::size_t>::max()));
}

}  // namespace
}  // namespace relay
