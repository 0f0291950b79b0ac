#include "egress/budget.hpp"

#include "egress/counts.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string_view>

namespace relay::egress {
namespace {

TEST(Budget, IsUsedUpAtItsEdge) {
  struct Case {
    Budget budget;
    Spent spent;
    std::string_view key;  // empty: one more may go out
  };
  for (const Case& row : {
           Case{{}, {1'000'000, 1'000'000, 1'000'000, 1'000'000}, ""},
           Case{{3, 0, 0}, {2, 0, 0, 0}, ""},
           Case{{3, 0, 0}, {3, 0, 0, 0}, "egress.upstreams.own.budget.requests"},
           Case{{0, 10, 0}, {0, 4, 5, 0}, ""},
           Case{{0, 10, 0}, {0, 5, 5, 0}, "egress.upstreams.own.budget.bytes"},
           Case{{0, 0, 7}, {0, 0, 0, 6}, ""},
           Case{{0, 0, 7}, {0, 0, 0, 9}, "egress.upstreams.own.budget.tokens"},
       }) {
    const auto denial = over_budget("own", row.budget, row.spent);
    EXPECT_EQ(denial ? denial->key : "", row.key);
    if (denial) {
      EXPECT_EQ(denial->status, 429);
    }
  }
}

TEST(Meter, LetsOutAsManyRequestsAsTheBudgetHas) {
  Meter meter("own", {2, 0, 0});
  EXPECT_FALSE(meter.begin());
  EXPECT_FALSE(meter.begin());
  EXPECT_TRUE(meter.begin());
  meter.give_back();
  EXPECT_FALSE(meter.begin());
  EXPECT_TRUE(meter.begin());
  EXPECT_EQ(meter.spent().requests, 2U);
}

TEST(Meter, PassesBytesUpToTheBudget) {
  Meter meter("own", {0, 10, 0});
  EXPECT_TRUE(meter.begin(11));
  EXPECT_FALSE(meter.begin(10));
  EXPECT_FALSE(meter.sent(4));
  EXPECT_FALSE(meter.received(6));
  EXPECT_TRUE(meter.received(1));
  EXPECT_TRUE(meter.begin());
}

TEST(Meter, HasNoMoreTokensThanCanBeCounted) {
  Meter meter("own", {0, 0, 10});
  EXPECT_TRUE(meter.counts_tokens());
  EXPECT_FALSE(meter.out_of_tokens());
  meter.took(9);
  EXPECT_FALSE(meter.out_of_tokens());
  meter.took(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(meter.spent().tokens, kHighestCount);
  EXPECT_TRUE(meter.out_of_tokens());
  EXPECT_TRUE(meter.begin());
}

}  // namespace
}  // namespace relay::egress
