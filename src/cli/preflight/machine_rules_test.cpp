#include "cli/preflight/machine_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace relay::cli::preflight {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const WallTime kMade = WallTime(std::chrono::hours(500'000));

// What is not good has a remedy with this in it.
void expect_finding(const Finding& finding, Verdict verdict, const char* told,
                    const char* remedy = nullptr) {
  EXPECT_EQ(finding.verdict, verdict) << finding.told;
  EXPECT_THAT(finding.told, HasSubstr(told));
  if (remedy == nullptr) {
    EXPECT_THAT(finding.remedies, IsEmpty());
  } else {
    EXPECT_THAT(finding.remedies, Contains(HasSubstr(remedy)));
  }
}

TEST(PreflightClock, IsLaterThanTheProgramAndKept) {
  using std::chrono::hours;
  expect_finding(clock_finding({kMade + hours(1), kMade, true, true}), Verdict::kGood,
                 "synchronised");
  expect_finding(clock_finding({kMade, kMade, std::nullopt, true}), Verdict::kGood, "Z");
  expect_finding(clock_finding({kMade - hours(24), kMade, true, true}), Verdict::kGood, "Z");
  expect_finding(clock_finding({kMade - hours(25), kMade, true, true}), Verdict::kBad,
                 "before this program was made", "date -u -s");
  expect_finding(clock_finding({kMade, kMade, false, true}), Verdict::kWarning, "not synchronised",
                 "timedatectl");
  expect_finding(clock_finding({kMade, kMade, false, false}), Verdict::kWarning, "not synchronised",
                 "chronyd");
}

TEST(PreflightOpenFiles, AreEnoughForSessionsAndForConnections) {
  constexpr std::uint64_t kSessions = 64 + 5 * 100;
  constexpr std::uint64_t kAll = kSessions + 3 * 1000;
  expect_finding(open_files_finding({kAll, 100, 1000}), Verdict::kGood, "3564 may be open");
  expect_finding(open_files_finding({kAll - 1, 100, 1000}), Verdict::kWarning, "3563",
                 "server.max_connections");
  expect_finding(open_files_finding({kSessions, 100, 1000}), Verdict::kWarning, "564",
                 "LimitNOFILE=3564");
  expect_finding(open_files_finding({kSessions - 1, 100, 1000}), Verdict::kBad, "563",
                 "agent.max_concurrent_sessions");
}

TEST(PreflightMemory, IsMoreThanOneAgentMayTake) {
  constexpr std::uint64_t kGig = 1u << 30;
  const auto finding = [](std::uint64_t limit, std::optional<std::uint64_t> available) {
    return memory_finding("memory", {"this machine", 8 * kGig, available, limit, 100});
  };
  expect_finding(finding(2 * kGig, 7 * kGig), Verdict::kGood, "room for 3 agents");
  expect_finding(finding(2 * kGig, std::nullopt), Verdict::kGood, "room for 4 agents");
  expect_finding(finding(0, 7 * kGig), Verdict::kGood, "no limit");
  expect_finding(finding(8 * kGig, 8 * kGig), Verdict::kGood, "room for 1 agents");
  expect_finding(finding(8 * kGig, 7 * kGig), Verdict::kWarning, "7G of it free",
                 "lower container.memory_limit");
  expect_finding(finding(8 * kGig + 1, 7 * kGig), Verdict::kBad, "is more",
                 "container.memory_limit to 4096M or less");
}

TEST(PreflightDisk, HasRoomInBytesAndInFiles) {
  const auto finding = [](std::uint64_t bytes, std::optional<std::uint64_t> files) {
    return disk_finding("disk.images", {"/var", "images", "data-root", bytes, files});
  };
  constexpr std::uint64_t kMeg = 1u << 20;
  expect_finding(finding(1024 * kMeg, std::nullopt), Verdict::kGood, "1G free at /var, for images");
  expect_finding(finding(1024 * kMeg, 1000), Verdict::kGood, "1G free");
  expect_finding(finding(1024 * kMeg - 1, 1000), Verdict::kWarning, "free at /var", "df -h /var");
  expect_finding(finding(100 * kMeg, 1000), Verdict::kWarning, "100M", "data-root");
  expect_finding(finding(100 * kMeg - 1, 1000), Verdict::kBad, "free at /var", "df -h /var");
  expect_finding(finding(1024 * kMeg, 999), Verdict::kBad, "999 more files", "df -i /var");
}

}  // namespace
}  // namespace relay::cli::preflight
