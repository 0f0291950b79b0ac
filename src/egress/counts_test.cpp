#include "egress/counts.hpp"

#include <gtest/gtest.h>

namespace relay::egress {
namespace {

TEST(Counted, IsTheSumOrTheHighestCount) {
  struct Row {
    std::uint64_t one, other, sum;
  };
  constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  for (const Row& row :
       {Row{0, 0, 0}, Row{2, 3, 5}, Row{kHighestCount - 1, 1, kHighestCount},
        Row{kHighestCount, 1, kHighestCount}, Row{1, kHighestCount, kHighestCount},
        Row{kAll, 0, kHighestCount}, Row{0, kAll, kHighestCount}, Row{kAll, kAll, kHighestCount}}) {
    EXPECT_EQ(counted(row.one, row.other), row.sum) << row.one << " and " << row.other;
  }
}

}  // namespace
}  // namespace relay::egress
