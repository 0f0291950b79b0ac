#include "protocol/scalar_grammar.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(ScalarGrammar, KnowsWhatMayStandBetweenTwoQuotes) {
  for (const std::string_view good :
       {"", "ses_1", R"(a\"b)", R"(\\)", R"(\\\")", R"(\u00e9\n)", "\xc3\xa9", "a}{/"}) {
    EXPECT_TRUE(is_string_content(good)) << good;
  }
  for (const std::string_view bad :
       {R"(")", R"(a"b)", R"(\)", R"(a\)", R"(\\")", R"(\x)", R"(\u12)", "a\nb", "\t"}) {
    EXPECT_FALSE(is_string_content(bad)) << bad;
  }
  EXPECT_FALSE(is_string_content(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace relay
