#include "base/path_pattern.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relay {
namespace {

TEST(PathPattern, MatchesSegments) {
  struct Case {
    std::string_view pattern, path;
    bool fits;
  };
  for (const Case& row : {
           Case{"/v1/messages", "/v1/messages", true},
           Case{"/v1/messages", "/v1/messages/", false},
           Case{"/v1/messages", "/v1/Messages", false},
           Case{"/v1/*", "/v1/messages", true},
           Case{"/v1/*", "/v1/", true},
           Case{"/v1/*", "/v1", false},
           Case{"/v1/*", "/v1/messages/count_tokens", false},
           Case{"/v1/**", "/v1/messages/count_tokens", true},
           Case{"/v1/**", "/v1", true},
           Case{"/v1/**", "/v1/", true},
           Case{"/v1/**", "/v10/x", false},
           Case{"/**", "/", true},
           Case{"/**", "/a/b/c", true},
           Case{"/*/models/*:generateContent", "/v1beta/models/g-2.5:generateContent", true},
           Case{"/*/models/*:generateContent", "/v1beta/models/g-2.5:delete", false},
           Case{"/*/models/**", "/v1/models", true},
           Case{"/*/models/**", "/v1/x/models", false},
           Case{"/a*b*c", "/aXbXbXc", true},
           Case{"/a*b*c", "/aXbXbXd", false},
       }) {
    EXPECT_EQ(path_matches(row.pattern, row.path), row.fits) << row.pattern << " " << row.path;
  }
}

TEST(PathPattern, TakesNoLongerThanTheProductOfLengths) {
  std::string pattern = "/";
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(path_matches(pattern + "b", "/" + std::string(20'000, 'a')));
}

TEST(PathPattern, SaysWhatIsWrongWithIt) {
  for (const std::string_view good : {"/", "/**", "/v1/**", "/v1/*/x", "/v*"}) {
    EXPECT_EQ(path_pattern_problem(good), "") << good;
  }
  for (const std::string_view bad :
       {"", "v1", "**", "/v1/**/x", "/v1**", "/a?b", "/a#b", "/a%20b", "/**/**"}) {
    EXPECT_NE(path_pattern_problem(bad), "") << bad;
  }
}

}  // namespace
}  // namespace relay
