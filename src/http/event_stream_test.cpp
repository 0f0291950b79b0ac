#include "http/event_stream.hpp"

#include <gtest/gtest.h>

namespace relay::http {
namespace {

std::string text_of(const std::vector<SseEvent>& events) {
  std::string out;
  for (const SseEvent& event : events) {
    out += "[" + event.id + "|" + event.event + "|" + event.data + "]";
  }
  return out;
}

TEST(SseEvent, WritesIdAndData) {
  EXPECT_EQ(sse_event("{\"a\":1}", 7), "id: 7\ndata: {\"a\":1}\n\n");
  EXPECT_EQ(sse_event("x"), "data: x\n\n");
  EXPECT_EQ(sse_event(""), "data: \n\n");
  EXPECT_EQ(sse_event("a\nb\r\nc\rd"), "data: a\ndata: b\ndata: c\ndata: d\n\n");
  EXPECT_EQ(sse_comment("ping"), ": ping\n\n");
}

struct Stream {
  const char* bytes;
  const char* events;
};

TEST(SseParser, ReadsEveryStreamAtEverySplit) {
  const Stream table[] = {
      {"data: one\n\n", "[|message|one]"},
      {"data: one\r\n\r\ndata: two\r\rdata: three\n\n",
       "[|message|one][|message|two][|message|three]"},
      {"id: 5\nevent: e\ndata: x\n\ndata:y\n\n", "[5|e|x][5|message|y]"},
      {": comment\n\ndata: a\ndata: b\n\n", "[|message|a\nb]"},
      {"data\n\n", "[|message|]"},
      {"data:  two spaces\n\n", "[|message| two spaces]"},
      {"event: lonely\n\ndata: z\n\n", "[|message|z]"},
      {"unknown: x\nretry: 5\ndata: a:b\n\n", "[|message|a:b]"},
      {"\xEF\xBB\xBF"
       "data: bom\n\n",
       "[|message|bom]"},
      {"data: unfinished\n", ""},
  };
  for (const Stream& row : table) {
    const std::string bytes = row.bytes;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      SseParser parser;
      std::string got = text_of(parser.feed(bytes.substr(0, cut)));
      got += text_of(parser.feed(bytes.substr(cut)));
      EXPECT_EQ(got, row.events) << bytes << " cut at " << cut;
    }
  }
}

TEST(SseParser, ReadsBackWhatIsWritten) {
  SseParser parser;
  EXPECT_EQ(text_of(parser.feed(sse_event("a\nb", 3) + sse_comment("c") + sse_event(""))),
            "[3|message|a\nb][3|message|]");
}

TEST(SseParser, StopsAtItsLimit) {
  SseParser parser(10);
  EXPECT_EQ(text_of(parser.feed("data: 1234\n\n")), "[|message|1234]");
  EXPECT_EQ(text_of(parser.feed("data: 12345")), "");
  EXPECT_TRUE(parser.failed());
}

}  // namespace
}  // namespace relay::http
