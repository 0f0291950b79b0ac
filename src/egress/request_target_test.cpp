#include "egress/request_target.hpp"

#include <gtest/gtest.h>

namespace relay::egress {
namespace {

TEST(RequestTarget, NamesTheUpstreamAndWhatIsAskedOfIt) {
  struct Case {
    std::string_view target, upstream, path, raw_path, query;
  };
  for (const Case& row : {
           Case{"/anthropic/v1/messages", "anthropic", "/v1/messages", "/v1/messages", ""},
           Case{"/anthropic/v1/messages?beta=true", "anthropic", "/v1/messages", "/v1/messages",
                "beta=true"},
           Case{"/gemini/v1beta/models/g-2.5:streamGenerateContent?alt=sse", "gemini",
                "/v1beta/models/g-2.5:streamGenerateContent",
                "/v1beta/models/g-2.5:streamGenerateContent", "alt=sse"},
           Case{"/own/a%20b/", "own", "/a b/", "/a%20b/", ""},
           Case{"/own/%7Etilde", "own", "/~tilde", "/%7Etilde", ""},
           Case{"/own", "own", "/", "/", ""},
           Case{"/own/", "own", "/", "/", ""},
           Case{"/own?x=%2f..%2f", "own", "/", "/", "x=%2f..%2f"},
           Case{"/", "", "/", "/", ""},
           Case{"/own/...", "own", "/...", "/...", ""},
       }) {
    const auto parsed = parse_request_target(row.target);
    ASSERT_TRUE(parsed) << row.target << ": " << parsed.error().explanation;
    EXPECT_EQ(parsed->upstream, row.upstream) << row.target;
    EXPECT_EQ(parsed->path, row.path) << row.target;
    EXPECT_EQ(parsed->raw_path, row.raw_path) << row.target;
    EXPECT_EQ(parsed->query, row.query) << row.target;
  }
}

TEST(RequestTarget, IsRefusedWhereServersReadItInDifferentWays) {
  for (const std::string_view target : {"",
                                        "*",
                                        "own/v1",
                                        "http://127.0.0.1/own/v1",
                                        "https://evil.example/own",
                                        "evil.example:443",
                                        "/own/../admin",
                                        "/own/..",
                                        "/own/./v1",
                                        "/own/%2e%2e/admin",
                                        "/own/.%2E/admin",
                                        "/own/..;x=1/admin",
                                        "/own/a%2fb",
                                        "/own/a%2Fb",
                                        "/own/a%5cb",
                                        "/own/a\\b",
                                        "/own//v1",
                                        "/own/v1//messages",
                                        "/own/%00",
                                        "/own/%0d%0aHost:x",
                                        "/own/%zz",
                                        "/own/%",
                                        "/own/%252e%252e",
                                        "/own/v1#x",
                                        "/own/\x7f"}) {
    EXPECT_FALSE(parse_request_target(target)) << target;
  }
}

TEST(RequestTarget, LosesTheParametersThatHoldACredential) {
  struct Case {
    std::string_view query, left;
  };
  for (const Case& row : {
           Case{"", ""},
           Case{"key=secret", ""},
           Case{"alt=sse&key=secret", "alt=sse"},
           Case{"key=secret&alt=sse&token=other&key=third", "alt=sse"},
           Case{"%6bey=secret&a=%20b", "a=%20b"},
           Case{"a=1;key=secret;b=2&c", "a=1;b=2&c"},
           Case{"Api_Key=1&api-key=2&x-goog-api-key=3&X_API_KEY=4&access_token=5&a", "a"},
           Case{"_method=DELETE&X-HTTP-Method-Override=PUT&method=a", "method=a"},
           Case{"keys=1&mykey=2&a", "keys=1&mykey=2&a"},
           Case{"host=1&te=2&cookies=3", "host=1&te=2&cookies=3"},
           Case{"%24key=1&$key=2&$.key=3&%24%2Ekey=4&a", "a"},
           Case{"$token=1&oauth_token=2&%24oauth_token=3&$access_token=4&$.xgafv=2", "$.xgafv=2"},
           Case{"%24httpMethod=DELETE&$httpHeaders=Authorization:a&$_method=PUT&a", "a"},
           Case{"$=1&$$keys=2&a$key=3", "$=1&$$keys=2&a$key=3"},
           Case{"key", ""},
           Case{"&&a&", "&&a&"},
       }) {
    EXPECT_EQ(without_withheld(row.query, "token"), row.left) << row.query;
  }
  EXPECT_EQ(without_withheld("=1&a", ""), "=1&a");
  EXPECT_EQ(without_withheld("token=1&%24token=2&a", "$token"), "a");
}

TEST(RequestTarget, LosesTheParametersThatHideWhatWasUsed) {
  struct Case {
    std::string_view target, left;
  };
  for (const Case& row : {
           Case{"/v1", "/v1"},
           Case{"/v1/fields=a;alt=proto", "/v1/fields=a;alt=proto"},
           Case{"/v1?fields=candidates", "/v1"},
           Case{"/v1?alt=sse&fields=candidates&a=%20b", "/v1?alt=sse&a=%20b"},
           Case{"/v1?$fields=a&%24fields=b&$.fields=c&Fields&%66ields=d&alt=json", "/v1?alt=json"},
           Case{"/v1?alt=proto&%24alt=media&$alt=%70roto&alt=&alt&a", "/v1?a"},
           Case{"/v1?$alt=sse;alt=proto&%24alt=json", "/v1?$alt=sse&%24alt=json"},
           Case{"/v1?field=a&alts=proto&key=b", "/v1?field=a&alts=proto&key=b"},
       }) {
    EXPECT_EQ(without_hidden_usage(row.target), row.left) << row.target;
  }
}

}  // namespace
}  // namespace relay::egress
