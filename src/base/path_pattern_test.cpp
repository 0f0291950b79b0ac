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
           Case{"/v1/**", "/v1//", true},
           Case{"/v1/**", "//v1", false},
           Case{"/v1/**", "/", false},
           Case{"/v1/**", "", false},
           Case{"/**", "", true},
           Case{"/**", "/", true},
           Case{"/**", "a", false},
           Case{"/**", "a/b", false},
           Case{"/**", "/a/b/c", true},
           Case{"/*/models/*:generateContent", "/v1beta/models/g-2.5:generateContent", true},
           Case{"/*/models/*:generateContent", "/v1beta/models/g-2.5:delete", false},
           Case{"/*/models/**", "/v1/models", true},
           Case{"/*/models/**", "/v1/models/", true},
           Case{"/*/models/**", "/v1/models/a//b", true},
           Case{"/*/models/**", "/v1/models2/a", false},
           Case{"/*/models/**", "/v1/x/models", false},
           Case{"/*/models/**", "/v1", false},
           Case{"/*/models/**", "//models/a", true},
           Case{"/v1/*/**", "/v1", false},
           Case{"/v1/*/**", "/v1/", true},
           Case{"/v1/*/**", "/v1/a/b/c", true},
           Case{"/v1//**", "/v1/", true},
           Case{"/v1//**", "/v1/a", false},
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
  // One that looked at this again for each of its segments would take hours.
  std::string path = "/" + std::string(1'000'000, 'a');
  for (int i = 0; i < 1'000'000; ++i) path += "/b";
  EXPECT_FALSE(path_matches("/*/issues/**", path));
  EXPECT_FALSE(path_matches("/*c/**", path));
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
