#include "envelope.hpp"

#include "output.hpp"

#include <gtest/gtest.h>

namespace demo {
namespace {

TEST(Envelope, KeepsThePartsByteForByte) {
  const Envelope envelope = scan_envelope(
      R"( { "jsonrpc" : "2.0", "id":9007199254740993, "method":"a/b","params":{"x":["}\"",{}]} } )");
  EXPECT_EQ(envelope.kind, EnvelopeKind::kObject);
  EXPECT_EQ(envelope.jsonrpc, R"("2.0")");
  EXPECT_EQ(envelope.id, "9007199254740993");
  EXPECT_EQ(envelope.method, R"("a/b")");
  EXPECT_EQ(envelope.params, R"({"x":["}\"",{}]})");
  EXPECT_TRUE(envelope.result.empty());
}

TEST(Envelope, TellsObjectsFromTheRest) {
  for (const char* text : {"{}", R"({"a":"\\"})", R"({"a":"\\\"","b":[]})", R"({"a":1})"}) {
    EXPECT_EQ(scan_envelope(text).kind, EnvelopeKind::kObject) << text;
  }
  for (const char* text : {"[]", "42", "null", R"("text")", R"([{"a":1}])"}) {
    EXPECT_EQ(scan_envelope(text).kind, EnvelopeKind::kOther) << text;
  }
  for (const char* text :
       {"", "{", R"({"a")", R"({"a":)", R"({"a":})", R"({"a":"b)", R"({"a":"\"})", R"({"a":1,})",
        "{} {}", "[1", R"({a:1})", R"({"a":[})", "}"}) {
    EXPECT_EQ(scan_envelope(text).kind, EnvelopeKind::kMalformed) << text;
  }
}

TEST(Envelope, AcceptsTheIdsOfJsonRpc) {
  for (const char* id : {"1", "-1", "null", R"("a")", "9007199254740993"}) {
    EXPECT_TRUE(is_valid_id(id)) << id;
  }
  for (const char* id : {"", "{}", "[1]", "true"}) EXPECT_FALSE(is_valid_id(id)) << id;
}

TEST(JsonString, EscapesWhatMustBeAndReplacesWhatIsNotUtf8) {
  std::string out;
  append_json_string(out, "a\"\\\n\t\x01\xc3\xa9\xff\xed\xa0\x80\xf0\x9f\x98\x80");
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\t\\u0001\xc3\xa9????\xf0\x9f\x98\x80\"");
}

}  // namespace
}  // namespace demo
