#include "egress/outgoing_headers.hpp"

#include <gtest/gtest.h>

namespace relay::egress {
namespace {

std::string text(const http::Headers& headers) {
  std::string out;
  for (const http::Header& header : headers) out += header.name + ": " + header.value + "\n";
  return out;
}

Upstream upstream(CredentialPlace place) {
  Upstream made;
  made.name = "own";
  made.endpoint = *http::Endpoint::parse("https://llm.example.com");
  made.credential = std::move(place);
  return made;
}

TEST(OutgoingHeaders, LoseWhatIsTheAgentsAndOfItsConnection) {
  const http::Headers sent{{"Host", "127.0.0.1:9180"},
                           {"anthropic-version", "2023-06-01"},
                           {"X-API-Key", "placeholder"},
                           {"authorization", "Bearer placeholder"},
                           {"Connection", "keep-alive, X-Hop"},
                           {"X-Hop", "1"},
                           {"Transfer-Encoding", "chunked"},
                           {"Expect", "100-continue"},
                           {"x-goog-api-key", "placeholder"},
                           {"Content-Type", "application/json"},
                           {"anthropic-beta", "a"},
                           {"anthropic-beta", "b"}};
  const auto out = outgoing_headers(
      sent, upstream({CredentialPlace::Kind::kHeader, "Authorization", "Bearer "}), "real");
  EXPECT_EQ(text(out),
            "Host: llm.example.com\n"
            "anthropic-version: 2023-06-01\n"
            "Content-Type: application/json\n"
            "anthropic-beta: a\n"
            "anthropic-beta: b\n"
            "Authorization: Bearer real\n");
}

TEST(OutgoingHeaders, HaveNoCredentialWhereNoneIsNeeded) {
  const http::Headers sent{{"Host", "x"}, {"Authorization", "Bearer own"}};
  EXPECT_EQ(text(outgoing_headers(sent, upstream({}), "")), "Host: llm.example.com\n");
}

TEST(OutgoingHeaders, ReplaceAHeaderOfOnesOwn) {
  const http::Headers sent{{"X-Own", "placeholder"}, {"Accept", "*/*"}};
  const auto out =
      outgoing_headers(sent, upstream({CredentialPlace::Kind::kHeader, "x-own", ""}), "real");
  EXPECT_EQ(text(out), "Host: llm.example.com\nAccept: */*\nx-own: real\n");
}

TEST(OutgoingHeaders, KeepTheUpgradeToAWebSocketOnly) {
  const http::Headers socket{
      {"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "a"}};
  EXPECT_EQ(text(outgoing_headers(socket, upstream({}), "")),
            "Host: llm.example.com\nSec-WebSocket-Key: a\nUpgrade: websocket\n");
  const http::Headers other{
      {"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "x"}};
  EXPECT_EQ(text(outgoing_headers(other, upstream({}), "")), "Host: llm.example.com\n");
}

TEST(OutgoingHeaders, PutTheCredentialIntoTheQuery) {
  const Upstream gemini = upstream({CredentialPlace::Kind::kQuery, "key", ""});
  EXPECT_EQ(outgoing_target({&gemini, "/v1?alt=sse"}, "a b&c"), "/v1?alt=sse&key=a%20b%26c");
  EXPECT_EQ(outgoing_target({&gemini, "/v1"}, "secret"), "/v1?key=secret");
  const Upstream other = upstream({});
  EXPECT_EQ(outgoing_target({&other, "/v1"}, "secret"), "/v1");
}

TEST(AnsweredHeaders, LoseWhatIsOfTheConnection) {
  const http::Headers received{{"Content-Type", "text/event-stream"},
                               {"Transfer-Encoding", "chunked"},
                               {"Connection", "close, X-Hop"},
                               {"X-Hop", "1"},
                               {"request-id", "req_1"}};
  EXPECT_EQ(text(answered_headers(received)),
            "Content-Type: text/event-stream\nrequest-id: req_1\n");
}

}  // namespace
}  // namespace relay::egress
