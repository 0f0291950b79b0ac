// The small values: errors, results, ids, times, descriptors, log lines.
#include "base/error.hpp"
#include "base/error_advice.hpp"
#include "base/log.hpp"
#include "base/random_id.hpp"
#include "base/result.hpp"
#include "base/strong_id.hpp"
#include "base/time.hpp"
#include "base/unique_fd.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <set>
#include <unistd.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

TEST(Error, CollectsWhatIsKnown) {
  const Error error = make_error(ErrorType::kSlowClient, "why")
                          .because("cause")
                          .suggest("one")
                          .suggest("two")
                          .with("limit", std::int64_t{3})
                          .retryable();
  EXPECT_EQ(error.type, ErrorType::kSlowClient);
  EXPECT_EQ(error.explanation, "why");
  EXPECT_THAT(error.possible_causes, ElementsAre("cause"));
  EXPECT_THAT(error.suggested_actions, ElementsAre("one", "two"));
  ASSERT_EQ(error.state.size(), 1u);
  EXPECT_EQ(error.state[0].second, StateValue(std::int64_t{3}));
  EXPECT_TRUE(error.recoverable);
}

TEST(Error, EveryTypeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  const int last = static_cast<int>(ErrorType::kShuttingDown);
  for (int type = 0; type <= last; ++type) names.insert(to_string(static_cast<ErrorType>(type)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
  EXPECT_EQ(to_string(ErrorType::kSessionNotFound), "session_not_found");
}

TEST(UsualAdvice, IsThereForEveryType) {
  for (int type = 0; type <= static_cast<int>(ErrorType::kShuttingDown); ++type) {
    const Advice advice = usual_advice(static_cast<ErrorType>(type));
    EXPECT_THAT(std::string(advice.cause), Not(IsEmpty())) << type;
    EXPECT_THAT(std::string(advice.action), Not(IsEmpty())) << type;
    EXPECT_NE(advice.cause, "the cause is not known") << type;
  }
}

TEST(Result, IsAValueOrAnError) {
  const Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  const Result<int> bad = make_error(ErrorType::kForbidden, "no");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().type, ErrorType::kForbidden);
}

TEST(RandomHex, HasTwoDigitsAByteAndNeverRepeats) {
  EXPECT_EQ(random_hex(0), "");
  EXPECT_THAT(random_hex(16), MatchesRegex("[0-9a-f]{32}"));
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) all.insert(random_hex(16));
  EXPECT_EQ(all.size(), 1000u);
}

TEST(StrongId, ComparesAndHashesLikeItsValue) {
  const SessionId a("a");
  EXPECT_EQ(a, SessionId("a"));
  EXPECT_LT(a, SessionId("b"));
  EXPECT_EQ(std::hash<SessionId>{}(a), std::hash<std::string>{}("a"));
}

TEST(Rfc3339, HasMillisecondsAndUtc) {
  using std::chrono::milliseconds;
  EXPECT_EQ(to_rfc3339(WallTime(milliseconds(0))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(WallTime(milliseconds(1'769'847'330'123))), "2026-01-31T08:15:30.123Z");
  EXPECT_EQ(to_rfc3339(WallTime(milliseconds(-1))), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_sql_time(WallTime(milliseconds(1'769'847'330'123))), "2026-01-31 08:15:30");
}

TEST(UniqueFd, ClosesWhatItOwnsOnce) {
  const auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; };
  const int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(raw, 0);
  UniqueFd a(raw);
  UniqueFd b(std::move(a));
  EXPECT_EQ(b.get(), raw);
  EXPECT_TRUE(is_open(raw));
  b = UniqueFd();
  EXPECT_FALSE(b);
  EXPECT_FALSE(is_open(raw));
  const int other = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  UniqueFd c(other);
  EXPECT_EQ(c.release(), other);
  EXPECT_TRUE(is_open(other));
  ::close(other);
}

std::string logged(LogFormat format, LogLevel level) {
  testing::internal::CaptureStderr();
  const Logger log = Logger::to_stderr(level, format).with("session", "sess_1");
  log.debug("hidden");
  log.warn("client \"slow\"", {{"queued", 12}, {"path", "/a b"}, {"on", true}, {"share", 0.5}});
  EXPECT_TRUE(log.flush(std::chrono::seconds(10)));
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesOneLineWithFixedFieldsFirst) {
  EXPECT_THAT(
      logged(LogFormat::kText, LogLevel::kInfo),
      EndsWith("warn  client \"slow\" session=sess_1 queued=12 path=\"/a b\" on=true share=0.5\n"));
}

TEST(Log, WritesJson) {
  EXPECT_THAT(
      logged(LogFormat::kJson, LogLevel::kWarn),
      HasSubstr(R"("level":"warn","event":"client \"slow\"","session":"sess_1","queued":12,)"
                R"("path":"/a b","on":true,"share":0.5})"));
}

TEST(Log, CountsWhatIsSaidTooOftenWithoutItsMarks) {
  testing::internal::CaptureStderr();
  const Logger log = Logger::to_stderr(LogLevel::kInfo, LogFormat::kText).with("session", "s");
  for (int i = 0; i < 1000; ++i) log.with_mark("trace_id", std::to_string(i)).info("e", {{"a", 1}});
  EXPECT_TRUE(log.flush(std::chrono::seconds(10)));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("e session=s a=1 trace_id=7\n"));
  EXPECT_GT(log.counts().repeated, 0u);
}

TEST(Log, KeepsQuietBelowItsLevel) {
  EXPECT_THAT(logged(LogFormat::kText, LogLevel::kError), IsEmpty());
  EXPECT_FALSE(Logger::silent().enabled(LogLevel::kError));
}

TEST(Log, KeepsOneEventOnOneLine) {
  testing::internal::CaptureStderr();
  Logger::to_stderr(LogLevel::kInfo, LogFormat::kText)
      .info("event", {{"text", "a\nb\x1b[31m\r\t\"\\"}});  // its end waits for the line
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, EndsWith("text=\"a\\nb\\u001b[31m\\r\\t\\\"\\\\\"\n"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

}  // namespace
}  // namespace relay
