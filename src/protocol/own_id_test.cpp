#include "protocol/own_id.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(OwnId, KnowsANumberInEverySpelling) {
  for (const char* three : {"3", "3.0", "\"3\"", "3e0", "0.3e1", "\"3.0\"", "3.00"}) {
    EXPECT_EQ(own_id(three), 3) << three;
  }
  EXPECT_EQ(own_id("4294967297"), 4294967297) << "beyond 32 bits";
  EXPECT_EQ(own_id("-1"), -1);
}

TEST(OwnId, IsNothingElse) {
  for (const char* other : {"", "null", "\"\"", "\"a\"", "3.5", "1e300", "\"3", "3 4", "true", "{}",
                            "nan", "\"inf\"", "9007199254740994.0e1"}) {
    EXPECT_EQ(own_id(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace relay
