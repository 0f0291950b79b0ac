#include "cli/preflight/finding.hpp"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli::preflight {
namespace {

TEST(PreflightFinding, IsALineAndItsRemedies) {
  EXPECT_EQ(line({"clock", Verdict::kGood, "right"}), "\u2713 clock: right\n");
  EXPECT_EQ(line({"clock", Verdict::kSkipped, "unseen"}), "- clock: unseen\n");
  EXPECT_EQ(line({"clock", Verdict::kWarning, "drifts", {}, {"chronyd"}}),
            "! clock: drifts\n    try: chronyd\n");
  EXPECT_EQ(line({"clock", Verdict::kBad, "is\x1b[1m wrong", {"a battery"}, {"date -s"}}),
            "\u2717 clock: is?[1m wrong\n    perhaps: a battery\n    try: date -s\n");
}

TEST(PreflightFinding, IsAnObjectWithStableNames) {
  EXPECT_EQ(
      boost::json::serialize(to_json({"a", Verdict::kBad, "t", {"c"}, {"r"}})),
      R"({"name":"a","status":"failed","found":"t","possible_causes":["c"],"remedies":["r"]})");
  EXPECT_EQ(to_json({"a", Verdict::kGood, ""}).at("status"), "ok");
  EXPECT_EQ(to_json({"a", Verdict::kWarning, ""}).at("status"), "warning");
  EXPECT_EQ(to_json({"a", Verdict::kSkipped, ""}).at("status"), "skipped");
}

TEST(PreflightFinding, OnlyAFailureFailsTheWhole) {
  const Finding good{"a", Verdict::kGood, ""};
  const Finding warning{"b", Verdict::kWarning, ""};
  const Finding skipped{"c", Verdict::kSkipped, ""};
  EXPECT_EQ(exit_code({good, warning, skipped}), ExitCode::kOk);
  EXPECT_EQ(exit_code({good, {"d", Verdict::kBad, ""}, good}), ExitCode::kError);
}

TEST(PreflightFinding, RoundsSizesForPeople) {
  EXPECT_EQ(rounded_size(0), "0B");
  EXPECT_EQ(rounded_size(1023), "1023B");
  EXPECT_EQ(rounded_size(512u << 20), "512M");
  EXPECT_EQ(rounded_size((3ull << 30) / 2), "1.5G");
  EXPECT_EQ(rounded_size(5ull << 50), "5120T");
}

}  // namespace
}  // namespace relay::cli::preflight
