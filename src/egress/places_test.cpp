#include "egress/places.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace relay::egress {
namespace {

using Taken = std::vector<std::shared_ptr<Places::Place>>;

// As many as it gets; how many these were.
std::size_t take_all(Places& places, Holder holder, Taken& taken) {
  const std::size_t before = taken.size();
  while (auto place = places.take(holder)) taken.push_back(std::move(place));
  return taken.size() - before;
}

TEST(Places, LeaveTheLastQuarterToSessionsThatHaveLessThanTheirShare) {
  struct Row {
    std::size_t most, first, second, third;
  };
  for (const Row& row : {Row{0, 0, 0, 0}, Row{1, 1, 0, 0}, Row{63, 63, 0, 0}, Row{64, 48, 1, 1},
                         Row{1024, 768, 16, 16}}) {
    Places places(row.most);
    const int a = 0, b = 0, c = 0;
    Taken taken;
    EXPECT_EQ(take_all(places, &a, taken), row.first) << row.most;
    EXPECT_EQ(take_all(places, &b, taken), row.second) << row.most;
    EXPECT_EQ(take_all(places, &c, taken), row.third) << row.most;
    EXPECT_EQ(places.taken(), taken.size());
  }
}

TEST(Places, AreFreeAgainAndCountedForWhoeverHasThem) {
  auto places = std::make_unique<Places>(64);
  const int a = 0, b = 0;
  Taken taken;
  EXPECT_EQ(take_all(*places, &a, taken), 48U);
  taken.front()->give_to(&b);
  EXPECT_EQ(places->take(&a), nullptr);
  EXPECT_EQ(places->take(&b), nullptr) << "it has its share";
  taken.front()->give_to(nullptr);
  EXPECT_NE(places->take(&b), nullptr);
  taken.pop_back();
  EXPECT_EQ(places->taken(), 47U);
  EXPECT_NE(places->take(&a), nullptr);
  places.reset();
  taken.clear();
}

}  // namespace
}  // namespace relay::egress
