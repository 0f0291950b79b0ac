#include "app/request_trail.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace relay::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr RequestTrail::Clock::time_point kBegin{std::chrono::hours(1)};

AuditedRequest request(const std::string& begin, const std::string& path, bool denied = false) {
  return {denied, begin, path, {1, 5, 64, 3, std::chrono::milliseconds(12)}};
}

std::string detail(const std::optional<RequestRow>& row) { return row ? row->detail : "none"; }

std::vector<std::string> details(const std::vector<RequestRow>& rows) {
  std::vector<std::string> all;
  for (const RequestRow& row : rows) all.push_back(row.action + ": " + row.detail);
  return all;
}

TEST(RequestTrail, HasARowForEachOfTheFirstAndThenOneForEachKind) {
  RequestTrail trail;
  const AuditedRequest usual = request("own POST 200", "/v1/messages");
  for (std::size_t count = 0; count < RequestTrail::kOwnRows; ++count) {
    EXPECT_EQ(detail(trail.take(usual, kBegin)),
              "own POST 200 sent=5 received=64 tokens=3 ms=12 /v1/messages");
  }
  EXPECT_EQ(detail(trail.take(usual, kBegin)), "none");
  EXPECT_EQ(detail(trail.take(usual, kBegin)), "none");
  EXPECT_EQ(detail(trail.take(request("own GET 404", "/"), kBegin)), "none");
  EXPECT_THAT(trail.due(kBegin + RequestTrail::kWindow - std::chrono::seconds(1)), IsEmpty());
  EXPECT_THAT(
      details(trail.due(kBegin + RequestTrail::kWindow)),
      ElementsAre(
          "used_upstream: own GET 404 sent=5 received=64 tokens=3 ms=12 /",
          "used_upstream: own POST 200 count=2 sent=10 received=128 tokens=6 ms=24 /v1/messages"));
  EXPECT_TRUE(trail.is_idle());
  EXPECT_NE(detail(trail.take(usual, kBegin + RequestTrail::kWindow)), "none");
}

TEST(RequestTrail, CountsDenialsOfAKindBehindTheFirst) {
  RequestTrail trail;
  const AuditedRequest denied = request("own GET 403 not_allowed", "/v1/files", true);
  EXPECT_EQ(trail.take(denied, kBegin)->action, "denied_upstream");
  for (int count = 0; count < 1000; ++count) EXPECT_FALSE(trail.take(denied, kBegin));
  EXPECT_TRUE(trail.take(request("own GET 403 not_allowed", "/v1/other", true), kBegin));
  EXPECT_THAT(details(trail.finish()),
              ElementsAre("denied_upstream: own GET 403 not_allowed count=1000 sent=5000 "
                          "received=64000 tokens=3000 ms=12000 /v1/files"));
  EXPECT_THAT(trail.finish(), IsEmpty());
}

TEST(RequestTrail, CountsNoMoreTokensThanTheLogCan) {
  RequestTrail trail;
  AuditedRequest denied = request("own GET 200 timed_out", "/", true);
  denied.sums.tokens = std::numeric_limits<std::int64_t>::max();
  for (int count = 0; count < 4; ++count) trail.take(denied, kBegin);
  EXPECT_THAT(details(trail.finish()),
              ElementsAre("denied_upstream: own GET 200 timed_out count=3 sent=15 received=192 "
                          "tokens=9223372036854775807 ms=36 /"));
}

TEST(RequestTrail, IsBoundedWhateverTheAgentAsksFor) {
  RequestTrail trail;
  std::size_t rows = 0;
  for (int count = 0; count < 1000; ++count) {
    const bool denied = count % 2 == 0;
    if (trail.take(request("own GET", "/" + std::to_string(count), denied), kBegin)) ++rows;
  }
  EXPECT_EQ(rows, RequestTrail::kOwnRows);
  const auto last = trail.finish();
  EXPECT_LE(last.size(), RequestTrail::kMostKinds + 1);
  EXPECT_TRUE(last.back().detail.starts_with("others count=")) << last.back().detail;
}

}  // namespace
}  // namespace relay::app
