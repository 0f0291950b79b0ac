#include "egress/hidden_secret.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace relay::egress {
namespace {

std::string hidden(std::string text, std::string_view secret) {
  hide_secret(text, secret);
  return text;
}

TEST(HideSecret, FindsItHoweverItIsEscaped) {
  struct Row {
    const char* text;
    const char* left;
  };
  for (const Row& row : {
           Row{"Bearer s3cret/1+.", "Bearer ***."},
           Row{"/v1?key=s3cret%2F1%2B&a=b", "/v1?key=***&a=b"},
           Row{"/v1?key=s3cret%2f1%2b&a=b", "/v1?key=***&a=b"},
           Row{"/v1?key=s3cret/1%2b&a=b", "/v1?key=***&a=b"},
           Row{"/v1?key=%73%33%63%72%65%74%2F%31%2B&a=b", "/v1?key=***&a=b"},
           Row{"/in?to=%2Fv1%3Fkey%3Ds3cret%252F1%252b%26a", "/in?to=%2Fv1%3Fkey%3D***%26a"},
           Row{"/a%20b?s3cret%2f1+=s3cret%2f1+s3cret/1+", "/a%20b?***=******"},
           Row{"%4s3cret/1+", "%4***"},
           Row{"%s3cret%2f1+%", "%***%"},
           Row{"/v1?key=s3cret%2f2%2b", "/v1?key=s3cret%2f2%2b"},
           Row{"100%", "100%"},
           Row{"", ""},
       }) {
    EXPECT_EQ(hidden(row.text, "s3cret/1+"), row.left) << row.text;
  }
}

TEST(HideSecret, FindsOneWithAnEscapeOfItsOwn) {
  EXPECT_EQ(hidden("k=s3%63ret", "s3%63ret"), "k=***");
  EXPECT_EQ(hidden("k=s3%2563ret", "s3%63ret"), "k=***");
}

TEST(HideSecret, LeavesWhatIsTooShort) {
  EXPECT_EQ(hidden("short s%68ort", "short"), "short s%68ort");
  EXPECT_EQ(hidden("a%41", "%41%41"), "a%41");
  EXPECT_EQ(hidden("any%20thing", ""), "any%20thing");
}

// In time that grows with its length.
TEST(HideSecret, ReadsEscapesWithinEscapesOnce) {
  std::string text = "s3cret%";
  for (int i = 0; i < 500'000; ++i) text += "25";
  EXPECT_EQ(hidden(text + "2f1", "s3cret/1"), "***");
}

}  // namespace
}  // namespace relay::egress
