#include "cli/reconnecting.hpp"

#include <gtest/gtest.h>

namespace relay::cli {
namespace {

using namespace std::chrono_literals;

constexpr Reconnecting::Time kReconnectStart{1h};

TEST(IsUseful, KnowsAConnectionThatBroughtNothing) {
  const struct {
    ConnectionPast past;
    bool useful;
  } table[] = {
      {{true, std::nullopt, 0s}, true}, {{false, std::nullopt, 0s}, false},
      {{false, 1000, 9s}, false},       {{false, std::nullopt, 10s}, true},
      {{false, 1001, 10s}, true},       {{true, 1008, 90s}, true},
      {{false, 1008, 1h}, false},       {{false, 1009, 0s}, false},
  };
  for (const auto& row : table) {
    EXPECT_EQ(is_useful(row.past), row.useful)
        << row.past.has_settled << ' ' << row.past.code.value_or(0) << ' '
        << std::chrono::duration<double>(row.past.lasted).count();
  }
}

TEST(Reconnecting, HasLongerPausesUntilAConnectionWasUseful) {
  Reconnecting reconnecting(kReconnectStart);
  EXPECT_EQ(reconnecting.pause(), 100ms);
  EXPECT_EQ(reconnecting.pause(), 200ms);
  reconnecting.connection_ended(false, false, kReconnectStart);
  EXPECT_EQ(reconnecting.pause(), 400ms);
  reconnecting.connection_ended(true, false, kReconnectStart);
  EXPECT_EQ(reconnecting.pause(), 100ms);
  for (int i = 0; i < 10; ++i) {
    reconnecting.connection_ended(false, false, kReconnectStart);
    reconnecting.pause();
  }
  EXPECT_EQ(reconnecting.pause(), Backoff::kLongest);
}

TEST(Reconnecting, GivesUpOnConnectionsThatBringNothing) {
  Reconnecting reconnecting(kReconnectStart + 5s);
  EXPECT_FALSE(reconnecting.is_over(kReconnectStart + 4s));
  EXPECT_TRUE(reconnecting.is_over(kReconnectStart + 5s));
  reconnecting.connection_ended(false, false, kReconnectStart + 300s);
  EXPECT_FALSE(reconnecting.is_over(kReconnectStart + 299s)) << "the first one";
  reconnecting.connection_ended(false, false, kReconnectStart + 400s);
  EXPECT_TRUE(reconnecting.is_over(kReconnectStart + 300s));
  reconnecting.connection_ended(true, false, kReconnectStart + 500s);
  EXPECT_FALSE(reconnecting.is_over(kReconnectStart + 499s));
  reconnecting.connection_ended(false, false, kReconnectStart + 500s);
  reconnecting.connection_ended(false, true, kReconnectStart + 550s);
  EXPECT_FALSE(reconnecting.is_over(kReconnectStart + 549s)) << "it was cut";
  reconnecting.try_until(kReconnectStart + 600s);
  EXPECT_FALSE(reconnecting.is_over(kReconnectStart + 599s));
  EXPECT_EQ(reconnecting.pause(), 100ms) << "all is as at the start";
}

}  // namespace
}  // namespace relay::cli
