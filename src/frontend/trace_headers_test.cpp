#include "frontend/trace_headers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace relay::frontend {
namespace {

const std::string kTraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const std::string kTraceMember = R"("traceparent":")" + kTraceParent + "\"";

std::string carried(const http::Headers& headers, std::string text) {
  auto frame = Frame::parse(std::move(text), {});
  EXPECT_TRUE(frame);
  return std::string(with_trace_of(headers, std::move(*frame), {}).bytes());
}

TEST(TraceHeaders, NameOneTrace) {
  EXPECT_EQ(trace_members_of({{"Traceparent", kTraceParent}}), kTraceMember);
  EXPECT_EQ(trace_members_of(
                {{"tracestate", "a=\"1"}, {"traceparent", kTraceParent}, {"TraceState", "b=2"}}),
            kTraceMember + R"(,"tracestate":"a=\"1,b=2")");
  EXPECT_EQ(
      trace_members_of({{"traceparent", kTraceParent}, {"tracestate", std::string(513, 'a')}}),
      kTraceMember);
  EXPECT_EQ(trace_members_of({}), "");
  EXPECT_EQ(trace_members_of({{"traceparent", "00-1-2-01"}, {"tracestate", "a=1"}}), "");
  EXPECT_EQ(trace_members_of({{"traceparent", kTraceParent}, {"traceparent", kTraceParent}}), "");
}

TEST(TraceHeaders, GoIntoARequestThatHasNoTrace) {
  const http::Headers headers{{"traceparent", kTraceParent}};
  EXPECT_EQ(carried(headers, R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1.0}})"),
            R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{)" + kTraceMember +
                R"(},"a":1.0}})");
  for (const char* kept :
       {R"({"jsonrpc":"2.0","id":1,"method":"m"})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1]})",
        R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"traceparent":"own"}}})",
        R"({"jsonrpc":"2.0","method":"m","params":{}})",
        R"({"jsonrpc":"2.0","id":1,"result":{}})"}) {
    EXPECT_EQ(carried(headers, kept), kept);
  }
  const std::string plain = R"({"jsonrpc":"2.0","id":1,"method":"m","params":{}})";
  EXPECT_EQ(carried({}, plain), plain);
}

}  // namespace
}  // namespace relay::frontend
