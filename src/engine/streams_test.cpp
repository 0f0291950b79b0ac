// What cuts streams: frames of attach, and objects of events and pulls.
#include "engine/json_objects.hpp"
#include "engine/stream_demuxer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::engine {
namespace {

using ::testing::ElementsAre;
using Source = StreamDemuxer::Source;

std::string frame(char source, const std::string& payload) {
  std::string out{source, 0, 0, 0};
  const std::size_t size = payload.size();
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift & 255U);
  return out + payload;
}

struct Both {
  std::string out, err;
  bool operator==(const Both&) const = default;
};

void push(StreamDemuxer& demuxer, std::string_view input, Both& both) {
  for (;;) {
    const StreamDemuxer::Piece piece = demuxer.next(input);
    if (piece.bytes.empty()) break;
    (piece.source == Source::kStderr ? both.err : both.out) += piece.bytes;
  }
  EXPECT_TRUE(input.empty());
}

TEST(StreamDemuxer, TakesStreamsApartAtEveryCut) {
  const std::string input = frame(1, "one ") + frame(2, "e1") + frame(1, "") + frame(1, "two\n") +
                            frame(0, "in ") + frame(3, " oops") + frame(2, std::string(70000, 'x'));
  const Both expected{"one two\nin ", "e1 oops" + std::string(70000, 'x')};
  for (std::size_t cut = 0; cut < 120; ++cut) {
    for (std::size_t second = cut; second < 120; second += 7) {
      StreamDemuxer demuxer;
      Both both;
      push(demuxer, std::string_view(input).substr(0, cut), both);
      push(demuxer, std::string_view(input).substr(cut, second - cut), both);
      push(demuxer, std::string_view(input).substr(second), both);
      ASSERT_EQ(both, expected) << cut << " " << second;
      ASSERT_TRUE(demuxer.at_boundary());
    }
  }
}

TEST(StreamDemuxer, KnowsWhenAFrameIsCutOff) {
  const std::string input = frame(1, "abc");
  for (std::size_t bytes = 1; bytes < input.size(); ++bytes) {
    StreamDemuxer demuxer;
    Both both;
    push(demuxer, std::string_view(input).substr(0, bytes), both);
    EXPECT_FALSE(demuxer.at_boundary()) << bytes;
  }
}

TEST(StreamDemuxer, RefusesWhatIsNoFrame) {
  for (const std::string& input :
       {std::string("hello world, this is a terminal\r\n"), std::string("\4\0\0\0\0\0\0\1x", 9),
        std::string("\1\0\1\0\0\0\0\1x", 9), std::string("{\"message\":1}")}) {
    StreamDemuxer demuxer;
    Both both;
    push(demuxer, input, both);
    push(demuxer, frame(1, "later"), both);
    EXPECT_TRUE(demuxer.failed());
    EXPECT_EQ(both, Both{});
  }
}

TEST(JsonObjects, AreCutTheSameAtEveryPlace) {
  const std::string input = "\r\n{\"a\":\"}\\\"{\"}\n{}{\"b\":[{},{\"c\":1}]} , {\"d\":\"\\\\\"}\n";
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    JsonObjects objects(100);
    std::vector<std::string> out;
    EXPECT_TRUE(objects.push(std::string_view(input).substr(0, cut), out));
    EXPECT_TRUE(objects.push(std::string_view(input).substr(cut), out));
    EXPECT_THAT(
        out, ElementsAre("{\"a\":\"}\\\"{\"}", "{}", "{\"b\":[{},{\"c\":1}]}", "{\"d\":\"\\\\\"}"));
    EXPECT_EQ(objects.held_bytes(), 0u);
  }
}

TEST(JsonObjects, AreBounded) {
  JsonObjects objects(10);
  std::vector<std::string> out;
  EXPECT_TRUE(objects.push("garbage without end garbage without end", out));
  EXPECT_EQ(objects.held_bytes(), 0u);
  EXPECT_TRUE(objects.push("{\"a\":1}{\"b\":", out));
  EXPECT_EQ(out.size(), 1u);
  EXPECT_FALSE(objects.push("123456", out));
  JsonObjects whole(10);
  EXPECT_FALSE(whole.push("{\"a\":123456}", out));
  EXPECT_EQ(out.size(), 1u);
}

}  // namespace
}  // namespace relay::engine
