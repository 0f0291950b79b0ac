#include "http/message_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace relay::http {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMuch = 1u << 20;
constexpr std::string_view kChunkedHead =
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

// Behind the head.
struct InChunks : RequestParser {
  InChunks() : RequestParser(1u << 10, kMuch) {
    EXPECT_EQ(feed(kChunkedHead).state, ParseState::kHead);
  }
};

// "1;xxx\r\n", of so many bytes.
std::string chunk_line(std::size_t bytes) { return "1;" + std::string(bytes - 4, 'x') + "\r\n"; }

TEST(MessageParser, CountsEmptyLinesOverTheWholeMessage) {
  EXPECT_EQ(empty_lines("\r\n\r\n\r"), 4U);
  EXPECT_EQ(empty_lines("\rGET"), 0U);
  RequestParser parser(100, kMuch);
  for (int line = 0; line < 50; ++line) {
    const ParseStep step = parser.feed("\r\n");
    EXPECT_EQ(step.state, ParseState::kNeedMore);
    EXPECT_EQ(step.consumed, 2U);
  }
  const ParseStep step = parser.feed("\r\n");
  EXPECT_EQ(step.state, ParseState::kFailed);
  EXPECT_EQ(step.status, 400);
  EXPECT_THAT(step.explanation, HasSubstr("empty lines"));
}

TEST(MessageParser, BoundsTheLineOfOneChunkAtItsEdge) {
  InChunks fits;
  EXPECT_EQ(fits.feed(chunk_line(16'384)).state, ParseState::kNeedMore);
  InChunks over;
  const ParseStep step = over.feed(chunk_line(16'385));
  EXPECT_EQ(step.state, ParseState::kFailed);
  EXPECT_EQ(step.status, 400);
}

TEST(MessageParser, BoundsTheLinesOfAllChunksByTheSizeOfTheBody) {
  InChunks parser;
  // With the end of a chunk, 19 bytes frame each byte of the body: three more than its share.
  const std::string chunk = chunk_line(17) + "b\r\n";
  std::size_t chunks = 0;
  ParseStep step;
  std::string unread;
  while (step.state == ParseState::kNeedMore && chunks < kMuch) {
    unread += chunk;
    step = parser.feed(unread);
    unread.erase(0, step.consumed);
    ++chunks;
  }
  EXPECT_EQ(step.state, ParseState::kFailed);
  EXPECT_EQ(step.status, 400);
  EXPECT_THAT(step.explanation, HasSubstr("around the chunks"));
  // 19 * n - 2 bytes have come when the nth line has, of a body of n - 1.
  EXPECT_EQ(chunks, (16'384U - 16 + 2) / 3 + 1);
}

TEST(MessageParser, TakesABodyOfTheSmallestChunks) {
  InChunks parser;
  std::string chunks;
  for (int i = 0; i < 100'000; ++i) chunks += "1\r\nb\r\n";
  const ParseStep step = parser.feed(chunks + "0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_EQ(step.state, ParseState::kDone);
  EXPECT_EQ(parser.request().body.size(), 100'000U);
}

TEST(MessageParser, CountsTrailersAsFraming) {
  for (const std::size_t bytes : {16'000U, 17'000U}) {
    InChunks parser;
    const ParseStep step =
        parser.feed("1\r\nb\r\n0\r\nX-Sum: " + std::string(bytes, '1') + "\r\n\r\n");
    EXPECT_EQ(step.state, bytes == 16'000U ? ParseState::kDone : ParseState::kFailed);
  }
}

}  // namespace
}  // namespace relay::http
