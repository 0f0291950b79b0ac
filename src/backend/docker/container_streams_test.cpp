#include "backend/docker/container_streams.hpp"

#include "backend/docker/test_container.hpp"

namespace relay {
namespace {

class ContainerStreamsTest : public ContainerTest {
 protected:
  static constexpr std::string_view kLater = "2026-01-01T00:00:00.000000001Z {3}\n";

  // The log that is followed begins with something else than what was read.
  Result<ContainerStreams> open_after(ScriptedEngine::Answer whole_log) {
    answer("/logs?follow=1", log({std::string(kLater)}));
    answer("/logs?follow=0", std::move(whole_log));
    answer("/attach?", upgrade());
    const OutputPosition read{6, line_fingerprint("{1}"), line_fingerprint("{2}")};
    return run(open_output(context_, "container", "json-file", read));
  }
};

TEST_F(ContainerStreamsTest, GoOnInALogThatHasNothingOfWhatWasRead) {
  auto whole = log({"{3}\n"});
  whole.bytes += "0\r\n\r\n";
  const auto streams = open_after(whole);
  ASSERT_TRUE(streams) << streams.error().explanation;
  EXPECT_TRUE(streams->is_log);
  EXPECT_TRUE(streams->lost);
  EXPECT_EQ(streams->position, OutputPosition());
  EXPECT_FALSE(was_asked("/attach?"));
}

// What was read may be in the rest.
TEST_F(ContainerStreamsTest, GoOnBehindAGapWhereTheLogWasNotSearchedToItsEnd) {
  auto part = log({"{3}\n"});
  part.close = true;
  const auto streams = open_after(part);
  ASSERT_TRUE(streams) << streams.error().explanation;
  EXPECT_FALSE(streams->is_log);
  EXPECT_TRUE(streams->lost);
  EXPECT_EQ(streams->position.bytes, 6U);
  EXPECT_TRUE(was_asked("/attach?"));
}

class SilentLogTest : public ContainerTest {
 protected:
  // The log that is followed says nothing at first.
  Result<ContainerStreams> open_silent(const ScriptedEngine::Answer& whole_log) {
    auto whole = whole_log;
    whole.bytes += "0\r\n\r\n";
    answer_once("/logs?follow=1", log({}));
    answer("/logs?follow=1",
           log({"2026-01-01T00:00:00.000000001Z {1}\n", "2026-01-01T00:00:00.000000002Z {2}\n",
                "2026-01-01T00:00:00.000000003Z {3}\n"}));
    answer("/logs?follow=0", std::move(whole));
    answer("/attach?", upgrade());
    const OutputPosition read{6, line_fingerprint("{1}"), line_fingerprint("{2}")};
    return run(open_output(context_, "container", "json-file", read, std::chrono::milliseconds(1)));
  }
};

TEST_F(SilentLogTest, IsFollowedAgainWhereItHasThePlace) {
  const auto streams = open_silent(log({"{1}\n", "{2}\n", "{3}\n"}));
  ASSERT_TRUE(streams) << streams.error().explanation;
  EXPECT_TRUE(streams->is_log);
  EXPECT_FALSE(streams->lost);
  EXPECT_EQ(streams->position.bytes, 6U);
  EXPECT_EQ(streams->stdout_ahead, "{3}\n");
  EXPECT_FALSE(was_asked("/attach?"));
}

TEST_F(SilentLogTest, IsLeftWhereItDoesNotHaveThePlace) {
  const auto streams = open_silent(log({"{1}\n"}));
  ASSERT_TRUE(streams) << streams.error().explanation;
  EXPECT_FALSE(streams->is_log);
  EXPECT_TRUE(streams->lost);
  EXPECT_EQ(times_asked("/logs?follow=1"), 1);
}

}  // namespace
}  // namespace relay
