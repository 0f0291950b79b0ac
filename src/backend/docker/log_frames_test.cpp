#include "backend/docker/log_frames.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relay {
namespace {

std::string log_frame(const std::string& payload, char source = 1) {
  std::string bytes(1, source);
  bytes.append(3, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  return bytes + payload;
}

std::string stdout_of(LogFrames frames, std::string_view bytes, std::size_t step) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view part = bytes.substr(at, step);
    while (true) {
      const auto piece = frames.next(part);
      if (piece.bytes.empty()) break;
      if (piece.source == LogFrames::Source::kStdout) out += piece.bytes;
    }
  }
  return out;
}

TEST(LogFrames, GivesBackTheNewlineThatTheLocalLogLoses) {
  const std::string record(16u << 10, 'a');
  const std::string log =
      log_frame(record) + log_frame("b") + log_frame("error", 2) + log_frame("c\n");
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, log.size()}) {
    EXPECT_EQ(stdout_of(LogFrames(true, LogFrames::Times::kNo), log, step), record + "b\nc\n");
    EXPECT_EQ(stdout_of(LogFrames(false, LogFrames::Times::kNo), log, step), record + "bc\n");
  }
}

std::string timed(const std::string& second, const std::string& payload, char source = 1) {
  return log_frame("2026-11-28T19:51:" + second + ".000000001Z " + payload, source);
}

TEST(LogFrames, LeavesOutTimesAndWhatComesTwice) {
  const std::string log = timed("01", "one\n") + timed("02", "e\n", 2) + timed("02", "tw") +
                          timed("02", "o\n") + timed("03", "three\n") + timed("02", "tw") +
                          timed("02", "o\n") + timed("03", "three\n") + timed("04", "four 4\n");
  for (std::size_t step = 1; step <= log.size(); step += 3) {
    EXPECT_EQ(stdout_of(LogFrames(false, LogFrames::Times::kYes), log, step),
              "one\ntwo\nthree\nfour 4\n");
  }
}

TEST(LogFrames, GivesBackLostNewlinesBehindTimes) {
  const std::string record(16u << 10, 'a');
  const std::string log = timed("01", record) + timed("01", "b") + timed("02", "c\n");
  EXPECT_EQ(stdout_of(LogFrames(true, LogFrames::Times::kYes), log, 100), record + "b\nc\n");
}

}  // namespace
}  // namespace relay
