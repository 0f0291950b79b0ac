#include "base/log.hpp"

#include "base/log_queue.hpp"
#include "base/log_repeats.hpp"
#include "base/utf8.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace relay {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr seconds kSoon{20};

// A pipe of one page.
struct SmallPipe {
  SmallPipe() {
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_GE(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
  }
  ~SmallPipe() {
    for (const int end : ends) ::close(end);
  }
  // Reads until `text` has come.
  std::string read_until(std::string_view text) const {
    std::string all;
    char bytes[4096];
    while (all.find(text) == std::string::npos) {
      const ssize_t got = ::read(ends[0], bytes, sizeof bytes);
      if (got <= 0) break;
      all.append(bytes, static_cast<std::size_t>(got));
    }
    return all;
  }
  int ends[2];
};

std::string note(const LogLoss& loss) {
  return "left out " + std::to_string(loss.lines) + " " + loss.event + "\n";
}

TEST(LogQueue, WritesInOrder) {
  const SmallPipe pipe;
  LogQueue queue(pipe.ends[1], {}, note);
  queue.push("a\n");
  queue.push("b\nc\n");
  EXPECT_TRUE(queue.flush(kSoon));
  EXPECT_EQ(pipe.read_until("c\n"), "a\nb\nc\n");
  EXPECT_EQ(queue.counts().dropped, 0u);
}

TEST(LogQueue, NobodyWaitsForAPipeThatNobodyReads) {
  const SmallPipe pipe;
  LogQueue queue(pipe.ends[1], {100, 1u << 20}, note);
  const std::string line(1000, 'x');
  for (int i = 0; i < 1000; ++i) queue.push(line + "\n");
  EXPECT_FALSE(queue.flush(std::chrono::milliseconds(10)));
  const std::uint64_t dropped = queue.counts().dropped;
  EXPECT_GE(dropped, 1000u - 100 - 70);  // the queue, and what was being written
  // As soon as somebody reads, the log says what is missing and goes on.
  EXPECT_THAT(pipe.read_until("left out"), HasSubstr(line));
  queue.push("last\n");
  pipe.read_until("last\n");
  EXPECT_TRUE(queue.flush(kSoon));
}

TEST(LogQueue, IsBoundedInBytes) {
  const SmallPipe pipe;
  LogQueue queue(pipe.ends[1], {1000, 100'000}, note);
  const std::string line = std::string(20'000, 'x') + "\n";
  for (int i = 0; i < 7; ++i) queue.push(line);
  EXPECT_GE(queue.counts().dropped, 2u);
  queue.push(std::string(200'000, 'y'));  // never finds room
  EXPECT_GE(queue.counts().dropped, 3u);
  pipe.read_until("left out");
}

TEST(LogQueue, EndsThoughNobodyReads) {
  const SmallPipe pipe;
  const auto begin = std::chrono::steady_clock::now();
  {
    LogQueue queue(pipe.ends[1], {}, note);
    queue.push(std::string(100'000, 'x'));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kSoon);
  // The thread that was left ends with its write.
  std::size_t got = 0;
  while (got < 100'000) got += pipe.read_until("x").size();
}

TEST(LogQueue, ADeadStreamLosesLinesOnly) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const int reader_only = ends[0];  // cannot be written
  {
    LogQueue queue(reader_only, {}, note);
    queue.push("a\n");
    EXPECT_TRUE(queue.flush(kSoon));
    EXPECT_EQ(queue.counts().dropped, 1u);
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(LogQueue, TellsWhatWasRepeatedWithoutAnotherLine) {
  const SmallPipe pipe;
  LogQueue queue(pipe.ends[1], {}, note);
  // More than those of one window, where the next one begins meanwhile.
  while (queue.admit("event", {})) {
  }
  EXPECT_EQ(pipe.read_until("\n"), "left out 1 event\n");
  EXPECT_EQ(queue.counts().repeated, 1u);
}

TEST(LogRepeats, CountsEachEventOfEachSession) {
  const LogRepeats::Time now{};
  LogRepeats repeats;
  const std::vector<LogField> a{{"session", "a"}}, b{{"session", "b"}};
  for (unsigned i = 0; i < LogRepeats::kLinesInWindow; ++i) EXPECT_TRUE(repeats.admit("e", a));
  EXPECT_FALSE(repeats.owes());
  EXPECT_FALSE(repeats.admit("e", a));
  EXPECT_FALSE(repeats.admit("e", a));
  EXPECT_TRUE(repeats.admit("e", b));
  EXPECT_TRUE(repeats.admit("another", a));
  EXPECT_TRUE(repeats.owes());
  const auto losses = repeats.next_window(now);
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].event, "e");
  EXPECT_EQ(losses[0].lines, 2u);
  EXPECT_EQ(std::get<std::string>(losses[0].fixed.at(0).value), "a");
  EXPECT_TRUE(repeats.admit("e", a));
  EXPECT_THAT(repeats.next_window(now), IsEmpty());
}

TEST(LogRepeats, KindsWithoutNumberShareOneLimit) {
  LogRepeats repeats;
  std::size_t written = 0;
  for (std::size_t i = 0; i < 10 * LogRepeats::kMaxKinds; ++i) {
    const std::vector<LogField> one{{"session", std::to_string(i)}};
    if (repeats.admit("e", one)) ++written;
  }
  EXPECT_EQ(written, LogRepeats::kMaxKinds + LogRepeats::kLinesInWindow);
  EXPECT_EQ(repeats.next_window({}).at(0).lines, 10 * LogRepeats::kMaxKinds - written);
}

TEST(Utf8, ReplacesWhatIsNone) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::pair<std::string_view, std::string> kTable[] = {
      {"", ""},
      {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"},
      {"bad \xff\xfe bytes", "bad " + bad + bad + " bytes"},
      {"cut \xC3", "cut " + bad},
      {"\xED\xA0\x80", bad + bad + bad},  // a surrogate
      {"\xC0\xAF", bad + bad},            // overlong
  };
  for (const auto& [from, to] : kTable) EXPECT_EQ(as_utf8(from), to);
}

TEST(Log, IsUtf8WhateverAnAgentWrites) {
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    testing::internal::CaptureStderr();
    Logger::to_stderr(LogLevel::kInfo, format).info("agent", {{"line", "a\xff\xfe"}});
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("a\xEF\xBF\xBD\xEF\xBF\xBD"));
  }
}

TEST(Log, RedactsLinesAndNotTexts) {
  testing::internal::CaptureStderr();
  {
    const auto stars = [](std::string_view) { return std::optional<std::string>("***"); };
    const Logger log = Logger::to_stderr(LogLevel::kInfo, LogFormat::kText, stars);
    log.info("secret");
    log.text("The token: secret\n");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "***\nThe token: secret\n");
}

}  // namespace
}  // namespace relay
