#include "backend/docker/engine_abilities.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

engine::EngineInfo able() {
  engine::EngineInfo info;
  info.memory_limit = info.swap_limit = info.cpu_cfs_quota = info.pids_limit = true;
  info.total_memory = std::int64_t{8} << 30;
  info.runtimes = {"runc", "runsc"};
  return info;
}

ContainerOptions limited() {
  ContainerOptions options;
  options.memory_limit = std::uint64_t{2} << 30;
  options.cpu_limit = 1;
  options.pids_limit = 512;
  return options;
}

TEST(IgnoredLimits, AreNoneOnAnEngineThatCanDoAll) {
  EXPECT_THAT(ignored_limits(limited(), able()), IsEmpty());
}

TEST(IgnoredLimits, NameTheKeyOfEveryOne) {
  engine::EngineInfo info;
  info.total_memory = std::int64_t{8} << 30;
  EXPECT_THAT(ignored_limits(limited(), info),
              ElementsAre(HasSubstr("container.memory_limit has no effect"),
                          HasSubstr("container.cpu_limit has no effect"),
                          HasSubstr("container.pids_limit has no effect")));
  EXPECT_THAT(ignored_limits({}, info), IsEmpty()) << "what is not set is not missed";
}

TEST(IgnoredLimits, MentionSwapAndTooLittleMemory) {
  engine::EngineInfo info = able();
  info.swap_limit = false;
  EXPECT_THAT(ignored_limits(limited(), info), ElementsAre(HasSubstr("does not count swap")));
  info = able();
  info.total_memory = (std::int64_t{2} << 30) - 1;
  EXPECT_THAT(ignored_limits(limited(), info),
              ElementsAre(HasSubstr("container.memory_limit 2G is more than")));
  info.total_memory = std::int64_t{2} << 30;
  EXPECT_THAT(ignored_limits(limited(), info), IsEmpty());
  info.total_memory = 0;  // not said
  EXPECT_THAT(ignored_limits(limited(), info), IsEmpty());
}

TEST(FitToHost, LowersTheCpusToWhatThereIsAndSaysSo) {
  struct Row {
    double limit;
    std::int64_t cpus;
    double used;
  };
  const Row rows[] = {{2, 1, 1}, {2.5, 2, 2}, {2, 2, 2}, {0.5, 1, 0.5}, {0, 1, 0}, {64, 0, 64}};
  for (const Row& row : rows) {
    engine::EngineInfo info = able();
    info.cpus = row.cpus;
    ContainerOptions options = limited();
    options.cpu_limit = row.limit;
    const auto warnings = ignored_limits(options, info);
    fit_to_host(options, info);
    EXPECT_EQ(options.cpu_limit, row.used) << row.limit;
    EXPECT_EQ(warnings.size(), row.limit == row.used ? 0u : 1u) << row.limit;
    EXPECT_THAT(ignored_limits(options, info), IsEmpty()) << row.limit;
  }
  engine::EngineInfo info = able();
  info.cpus = 1;
  ContainerOptions options = limited();
  options.cpu_limit = 2.5;
  EXPECT_THAT(ignored_limits(options, info),
              ElementsAre("container.cpu_limit 2.5 is more than the 1 CPUs of the Engine's host, "
                          "1 is used"));
}

TEST(RootOnHostFiles, IsWarnedOfWhereRootMayWrite) {
  ContainerOptions options;
  EXPECT_FALSE(root_on_host_files(options, 0));
  options.extra_volumes = {{"/a", "/a", true}};
  EXPECT_FALSE(root_on_host_files(options, 0)) << "it can only read there";
  options.extra_volumes.push_back({"cache", "/b", false});
  EXPECT_THAT(root_on_host_files(options, 0).value_or(""), HasSubstr("container.extra_volumes"));
  EXPECT_FALSE(root_on_host_files(options, 1000));
  options.mount_roots = {"/home/ada/src"};
  EXPECT_THAT(root_on_host_files(options, 0).value_or(""), HasSubstr("container.mount_roots"));
  EXPECT_FALSE(root_on_host_files(options, 1000));
}

TEST(MissingAbility, IsARuntimeThatTheEngineDoesNotHave) {
  ContainerOptions options;
  EXPECT_FALSE(missing_ability(options, able()));
  options.runtime = "runsc";
  EXPECT_FALSE(missing_ability(options, able()));
  EXPECT_FALSE(missing_ability(options, {})) << "an Engine that does not name its runtimes";
  options.runtime = "kata";
  const auto error = missing_ability(options, able());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, ErrorType::kContainerStartFailed);
  EXPECT_EQ(error->explanation, "the Engine has no runtime kata, it has runc, runsc");
  EXPECT_THAT(error->suggested_actions, testing::Contains(HasSubstr("container.runtime")));
}

}  // namespace
}  // namespace relay
