#include "egress/budget.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace relay::egress
