#include "protocol/trace_context.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace relay {
namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr const char* kSpan = "b7ad6b7169203331";

Frame message(std::string params, Writer writer = Writer::kClient) {
  FrameLimits limits;
  limits.writer = writer;
  auto frame = Frame::parse(
      R"({"jsonrpc":"2.0","id":1,"method":"session/prompt","params":)" + std::move(params) + "}",
      limits);
  EXPECT_TRUE(frame);
  return std::move(*frame);
}

std::string with_parent(std::string_view parent) {
  return R"({"_meta":{"traceparent":")" + std::string(parent) + "\"}}";
}

TEST(TraceParent, IsTakenApart) {
  const std::string base = kParent;
  for (const std::string& valid :
       {base, std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff"),
        "01" + base.substr(2), "cc" + base.substr(2) + "-what-may-come",
        "fe" + base.substr(2) + "-"}) {
    const auto trace = parse_traceparent(valid);
    ASSERT_TRUE(trace) << valid;
    EXPECT_EQ(trace->trace_id, kTrace) << valid;
    EXPECT_EQ(trace->span_id, kSpan) << valid;
  }
}

TEST(TraceParent, IsNothingElse) {
  const std::string base = kParent;
  for (const std::string& bad : {
           std::string(),
           std::string("00"),
           std::string("00-1-2-01"),
           base.substr(0, base.size() - 1),
           base + "0",
           base + "-00",                 // version 00 ends here
           "01" + base.substr(2) + "x",  // more fields begin with a dash
           "ff" + base.substr(2),        // the version that is none
           "0g" + base.substr(2),
           " " + base,
           base + " ",
           std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
           std::string("00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01"),
           std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G"),
           std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
           std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
           std::string("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
           std::string("00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01"),
           std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01"),
           std::string("00-0af7651916cd43dd8448eb211c8031-9cb7ad6b7169203331-01"),
       }) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(TraceOf, IsFoundInTheMetaOfParamsAlone) {
  const auto trace = trace_of(message(with_parent(kParent)));
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id, kTrace);
  const std::string member = R"({"traceparent":")" + std::string(kParent) + "\"}";
  for (const std::string& params :
       {std::string("{}"), std::string("[]"), member, R"({"a":{"_meta":)" + member + "}}",
        R"({"_meta":[)" + member + "]}", R"({"_meta":{"a":)" + member + "}}",
        std::string(R"({"_meta":{"traceparent":7}})"),
        std::string(R"({"_meta":{"traceparent":{}}})"), std::string(R"({"_meta":null})"),
        with_parent(""), with_parent("00-1-2-01")}) {
    EXPECT_FALSE(trace_of(message(params))) << params;
    EXPECT_FALSE(trace_of_params(params)) << params;
  }
}

TEST(TraceOf, IsNotLookedForInWhatAgentsSay) {
  EXPECT_FALSE(trace_of(message(with_parent(kParent), Writer::kAgent)));
}

TEST(TraceMembers, AreThoseOfAValidTrace) {
  const std::string parent = R"("traceparent":")" + std::string(kParent) + "\"";
  EXPECT_EQ(trace_members(with_parent(kParent)), parent);
  EXPECT_EQ(trace_members(R"({"_meta":{"x":1,"baggage":"u=\u0031","tracestate":"a=1", )" + parent +
                          "},\"prompt\":[]}"),
            parent + R"(,"tracestate":"a=1","baggage":"u=\u0031")");
  EXPECT_EQ(trace_members("{\"_meta\":{\"tracestate\":5," + parent + "}}"), parent);
  for (const std::string& none :
       {std::string(), std::string("{}"), std::string(R"({"_meta":{"tracestate":"a=1"}})"),
        with_parent("00-1-2-01")}) {
    EXPECT_EQ(trace_members(none), "") << none;
  }
}

TEST(ParamsWithTrace, HaveItWhereTheyHadNone) {
  EXPECT_EQ(params_with_trace("{}", R"("traceparent":"p")"), R"({"_meta":{"traceparent":"p"}})");
  EXPECT_EQ(params_with_trace(R"({"_meta":{"x":1},"a":2})", R"("traceparent":"p")"),
            R"({"_meta":{"traceparent":"p","x":1},"a":2})");
  EXPECT_FALSE(params_with_trace("{}", ""));
  for (const char* kept : {"", "[]", "7", R"({"_meta":{"traceparent":null}})",
                           R"({"_meta":{"tracestate":"a=1"}})", R"({"_meta":{"baggage":"a=1"}})"}) {
    EXPECT_FALSE(params_with_trace(kept, R"("traceparent":"p")")) << kept;
  }
}

}  // namespace
}  // namespace relay
