#include "http/client.hpp"

#include <gtest/gtest.h>

namespace relay::http {
namespace {

struct Url {
  const char* url;
  const char* text;  // "" when it is refused
};

TEST(Endpoint, ReadsUrls) {
  const Url table[] = {
      {"http://localhost:8080", "http://localhost:8080"},
      {"http://localhost", "http://localhost:80"},
      {"https://example.org/", "https://example.org:443"},
      {"http://[::1]:99", "http://[::1]:99"},
      {"https://[::1]", "https://[::1]:443"},
      {"unix:///run/docker.sock", "unix:///run/docker.sock"},
      {"localhost:8080", ""},
      {"ftp://x", ""},
      {"http://", ""},
      {"http://h:0", ""},
      {"http://h:65536", ""},
      {"http://h:", ""},
      {"http://h:1x", ""},
      {"http://h/path", ""},
      {"http://user:secret@h", ""},
      {"http://[::1", ""},
      {"http://[::1]x", ""},
      {"unix://relative", ""},
  };
  for (const Url& row : table) {
    const Result<Endpoint> parsed = Endpoint::parse(row.url);
    EXPECT_EQ(parsed ? parsed->to_string() : "", row.text) << row.url;
    if (!parsed) {
      EXPECT_FALSE(parsed.error().suggested_actions.empty());
      EXPECT_EQ(parsed.error().explanation.find("secret"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace relay::http
