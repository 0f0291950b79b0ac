#include "egress/outgoing_headers.hpp"

#include <gtest/gtest.h>

namespace relay::egress {
namespace {

constexpr AnswerForm kAsAsked = AnswerForm::kAsAsked;

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
  const auto out =
      outgoing_headers(sent, upstream({CredentialPlace::Kind::kHeader, "Authorization", "Bearer "}),
                       "real", kAsAsked);
  EXPECT_EQ(text(out),
            "Host: llm.example.com\n"
            "anthropic-version: 2023-06-01\n"
            "Content-Type: application/json\n"
            "anthropic-beta: a\n"
            "anthropic-beta: b\n"
            "Authorization: Bearer real\n");
}

TEST(OutgoingHeaders, HaveNothingThatIsWithheldHoweverItIsSpelled) {
  http::Headers sent;
  for (const char* name : {"Cookie",
                           "Api-Key",
                           "x_api_key",
                           "X-API_Key",
                           "AUTHORIZATION",
                           "Proxy_Authorization",
                           "Access_Token",
                           "X-Auth-Token",
                           "X-HTTP-Method-Override",
                           "X_HTTP_METHOD",
                           "X-Original-URL",
                           "X-Method-Override",
                           "X-Rewrite-URL",
                           "X-Forwarded-For",
                           "X_Forwarded_Host",
                           "Forwarded",
                           "X-Real-IP",
                           "Content_Length",
                           "Transfer_Encoding",
                           "Host",
                           "X_Own"}) {
    sent.push_back({name, "mine"});
  }
  for (const char* name : {"X-Api-Keys", "X-Originator", "Via", "Key", "User-Agent"}) {
    sent.push_back({name, "kept"});
  }
  const auto out = outgoing_headers(sent, upstream({CredentialPlace::Kind::kHeader, "x-own", ""}),
                                    "r", kAsAsked);
  EXPECT_EQ(text(out),
            "Host: llm.example.com\nX-Api-Keys: kept\nX-Originator: kept\nVia: kept\n"
            "Key: kept\nUser-Agent: kept\nx-own: r\n");
}

TEST(OutgoingHeaders, LoseTheItemsOfAProtocolThatCarryAKey) {
  struct Case {
    std::string_view sent, left;
  };
  for (const Case& row : {
           Case{"realtime, openai-insecure-api-key.sk-1, openai-beta.v1",
                "Sec-WebSocket-Protocol: realtime, openai-beta.v1\n"},
           Case{"openai-insecure-api-key.sk-1", ""},
           Case{"base64url.bearer.authorization.k8s.io.dG9r,channel",
                "Sec-WebSocket-Protocol: channel\n"},
           Case{"graphql-transport-ws", "Sec-WebSocket-Protocol: graphql-transport-ws\n"},
       }) {
    const http::Headers sent{{"Connection", "Upgrade"},
                             {"Upgrade", "websocket"},
                             {"Sec-WebSocket-Protocol", std::string(row.sent)}};
    EXPECT_EQ(text(outgoing_headers(sent, upstream({}), "", kAsAsked)),
              "Host: llm.example.com\n" + std::string(row.left) + "Upgrade: websocket\n");
  }
}

TEST(OutgoingHeaders, AskForWhatCanBeRead) {
  const http::Headers sent{{"accept-encoding", "gzip"},
                           {"Accept_Encoding", "br"},
                           {"X_Goog_FieldMask", "candidates"},
                           {"Sec-WebSocket-Extensions", "permessage-deflate"}};
  EXPECT_EQ(text(outgoing_headers(sent, upstream({}), "", AnswerForm::kReadable)),
            "Host: llm.example.com\nAccept-Encoding: identity\n");
  EXPECT_EQ(text(outgoing_headers({}, upstream({}), "", AnswerForm::kReadable)),
            "Host: llm.example.com\nAccept-Encoding: identity\n");
}

TEST(OutgoingTarget, AsksForWhatCanBeReadWhereThatIsWanted) {
  const Upstream none = upstream({});
  const Upstream gemini = upstream({CredentialPlace::Kind::kQuery, "key", ""});
  constexpr const char* kTarget = "/v1?alt=proto&a";
  EXPECT_EQ(outgoing_target({&none, kTarget}, "", kAsAsked), kTarget);
  EXPECT_EQ(outgoing_target({&none, kTarget}, "", AnswerForm::kReadable), "/v1?a");
  EXPECT_EQ(outgoing_target({&gemini, "/v1?fields=a"}, "secret", AnswerForm::kReadable),
            "/v1?key=secret");
}

TEST(OutgoingTrailers, AreNoMoreThanHeadersMayBe) {
  const http::Headers sent{{"Connection", "X-Hop"}};
  const http::Headers trailers{{"X-Sum", "1"}, {"x-hop", "1"},    {"Authorization", "b"},
                               {"Host", "x"},  {"X-Own", "mine"}, {"X-Goog-FieldMask", "a"}};
  const Upstream own = upstream({CredentialPlace::Kind::kHeader, "x-own", ""});
  EXPECT_EQ(text(outgoing_trailers(trailers, sent, own, kAsAsked)),
            "X-Sum: 1\nX-Goog-FieldMask: a\n");
  EXPECT_EQ(text(outgoing_trailers(trailers, sent, own, AnswerForm::kReadable)), "X-Sum: 1\n");
}

TEST(OutgoingHeaders, HaveNoCredentialWhereNoneIsNeeded) {
  const http::Headers sent{{"Host", "x"}, {"Authorization", "Bearer own"}};
  EXPECT_EQ(text(outgoing_headers(sent, upstream({}), "", kAsAsked)), "Host: llm.example.com\n");
}

TEST(OutgoingHeaders, ReplaceAHeaderOfOnesOwn) {
  const http::Headers sent{{"X-Own", "placeholder"}, {"Accept", "*/*"}};
  const auto out = outgoing_headers(sent, upstream({CredentialPlace::Kind::kHeader, "x-own", ""}),
                                    "real", kAsAsked);
  EXPECT_EQ(text(out), "Host: llm.example.com\nAccept: */*\nx-own: real\n");
}

TEST(OutgoingHeaders, KeepTheUpgradeToAWebSocketOnly) {
  const http::Headers socket{
      {"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "a"}};
  EXPECT_EQ(text(outgoing_headers(socket, upstream({}), "", kAsAsked)),
            "Host: llm.example.com\nSec-WebSocket-Key: a\nUpgrade: websocket\n");
  const http::Headers other{
      {"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "x"}};
  EXPECT_EQ(text(outgoing_headers(other, upstream({}), "", kAsAsked)), "Host: llm.example.com\n");
}

TEST(OutgoingHeaders, PutTheCredentialIntoTheQuery) {
  const Upstream gemini = upstream({CredentialPlace::Kind::kQuery, "key", ""});
  EXPECT_EQ(outgoing_target({&gemini, "/v1?alt=sse"}, "a b&c", kAsAsked),
            "/v1?alt=sse&key=a%20b%26c");
  EXPECT_EQ(outgoing_target({&gemini, "/v1"}, "secret", kAsAsked), "/v1?key=secret");
  const Upstream other = upstream({});
  EXPECT_EQ(outgoing_target({&other, "/v1"}, "secret", kAsAsked), "/v1");
}

TEST(AnsweredHeaders, LoseWhatIsOfTheConnection) {
  const http::Headers received{{"Content-Type", "text/event-stream"},
                               {"Transfer-Encoding", "chunked"},
                               {"Connection", "close, X-Hop"},
                               {"X-Hop", "1"},
                               {"request-id", "req_1"}};
  EXPECT_EQ(text(answered_headers(received, "")),
            "Content-Type: text/event-stream\nrequest-id: req_1\n");
}

TEST(AnsweredHeaders, DoNotRepeatTheCredential) {
  const http::Headers received{{"Location", "/v1?key=s3cret%2F1&a=s3cret%2f1&b=s3%63ret/1"},
                               {"X-Echo", "Bearer s3cret/1."},
                               {"Set-Cookie", "a=b"},
                               {"X-Other", "s3cret"}};
  EXPECT_EQ(text(answered_headers(received, "s3cret/1")),
            "Location: /v1?key=***&a=***&b=***\nX-Echo: Bearer ***.\nX-Other: s3cret\n");
  EXPECT_EQ(text(answered_headers({{"X-Echo", "short"}}, "short")), "X-Echo: short\n");
}

}  // namespace
}  // namespace relay::egress
