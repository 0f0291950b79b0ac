#include "config/upstream_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace relay::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(UpstreamUrl, IsSplit) {
  struct Row {
    const char *url, *host, *origin, *base_path;
    bool secure;
  };
  for (const Row& row : {
           Row{"https://api.example.com", "api.example.com", "https://api.example.com", "", true},
           Row{"https://a.b:8443/", "a.b", "https://a.b:8443", "", true},
           Row{"http://127.0.0.1:11434/v1", "127.0.0.1", "http://127.0.0.1:11434", "/v1", false},
           Row{"http://[::1]:80/a/b/", "::1", "http://[::1]:80", "/a/b", false},
           Row{"https://[fe80::1]", "fe80::1", "https://[fe80::1]", "", true},
           Row{"https://a_b/x@y:z", "a_b", "https://a_b", "/x@y:z", true},
       }) {
    const UpstreamUrl url = parse_upstream_url(row.url);
    EXPECT_EQ(url.problem, "") << row.url;
    EXPECT_EQ(url.host, row.host) << row.url;
    EXPECT_EQ(url.origin, row.origin) << row.url;
    EXPECT_EQ(url.base_path, row.base_path) << row.url;
    EXPECT_EQ(url.secure, row.secure) << row.url;
  }
}

TEST(UpstreamUrl, IsRefusedWithoutBeingRepeated) {
  const std::pair<std::string, const char*> kTable[] = {
      {"", "it is missing"},
      {"canary.example.com", "it begins neither"},
      {"unix:///run/canary.sock", "it begins neither"},
      {"HTTPS://canary", "it begins neither"},
      {"https://", "it has no host"},
      {"https://:443", "it has no host"},
      {"https:///canary", "it has no host"},
      {"https://user:canary@host", "a user or a password"},
      {"https://host/?key=canary", "a query or a fragment"},
      {"https://host#canary", "a query or a fragment"},
      {"https://can ary", "neither a name nor an address"},
      {"https://canary:0", "its port is no number"},
      {"https://canary:65536", "its port is no number"},
      {"https://canary:", "its port is no number"},
      {"https://canary:8x", "its port is no number"},
      {"https://[::1", "the ] of an IPv6 address"},
      {"https://[canary]", "no IPv6 address"},
      {"https://[::1]canary", "its port is no number"},
      {"https://host/canary//x", "an empty segment"},
      {"https://host/canary/../x", "or . or .."},
      {"https://host/canary/.", "or . or .."},
      {"https://host/canary%2fx", "has to escape"},
      {"https://host/" + std::string(2048, 'a'), "longer than 2048"},
  };
  for (const auto& [url, problem] : kTable) {
    EXPECT_THAT(parse_upstream_url(url).problem, HasSubstr(problem)) << url;
    EXPECT_THAT(parse_upstream_url(url).problem, Not(HasSubstr("canary"))) << url;
  }
}

}  // namespace
}  // namespace relay::config
