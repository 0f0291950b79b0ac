#include "http/websocket_url.hpp"

#include <gtest/gtest.h>

namespace relay::http {
namespace {

struct Address {
  const char* url;
  const char* text;  // "" when it is refused
};

TEST(WebSocketUrl, ReadsAddresses) {
  const Address table[] = {
      {"ws://localhost:8081/acp", "ws://localhost:8081/acp"},
      {"ws://localhost", "ws://localhost/"},
      {"wss://example.org/agents/a/acp", "wss://example.org/agents/a/acp"},
      {"https://example.org:444/x", "wss://example.org:444/x"},
      {"http://[::1]:99", "ws://[::1]:99/"},
      {"ftp://h/acp", ""},
      {"localhost:8081/acp", ""},
      {"ws:///acp", ""},
      {"ws://h:0/acp", ""},
      {"ws://h/acp?token=secret", ""},
      {"ws://h/acp#secret", ""},
      {"ws://user:secret@h/acp", ""},
      {"ws://h/a b", ""},
      {"ws://h/\r\nX: y", ""},
      {"", ""},
  };
  for (const Address& row : table) {
    const Result<WebSocketUrl> parsed = WebSocketUrl::parse(row.url);
    EXPECT_EQ(parsed ? parsed->to_string() : "", row.text) << row.url;
    if (!parsed) {
      EXPECT_FALSE(parsed.error().suggested_actions.empty()) << row.url;
      EXPECT_EQ(parsed.error().explanation.find("secret"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace relay::http
