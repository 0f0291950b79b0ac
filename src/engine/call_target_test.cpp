#include "engine/call_target.hpp"

#include <gtest/gtest.h>

namespace relay::engine {
namespace {

struct Versions {
  ApiVersion api, min_api;
  const char* common;  // "" when there is none
};

TEST(CommonApi, IsTheNewestThatBothKnow) {
  const Versions table[] = {
      {{1, 41}, {1, 12}, "1.41"}, {{1, 43}, {1, 12}, "1.43"}, {{1, 44}, {1, 24}, "1.44"},
      {{1, 52}, {1, 44}, "1.44"}, {{2, 0}, {1, 24}, "1.44"},  {{1, 41}, {1, 41}, "1.41"},
      {{1, 40}, {1, 12}, ""},     {{1, 9}, {1, 1}, ""},       {{1, 60}, {1, 45}, ""},
      {{0, 0}, {0, 0}, ""},       {{1, 41}, {1, 42}, ""},
  };
  for (const Versions& row : table) {
    EngineVersion engine;
    engine.api = row.api;
    engine.min_api = row.min_api;
    const std::optional<ApiVersion> common = common_api(engine);
    EXPECT_EQ(common ? common->to_string() : "", row.common) << row.api.to_string();
  }
}

TEST(Escaped, KeepsNothingThatCouldEndAPart) {
  EXPECT_EQ(escaped("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(escaped("a b/c?d&e=f%#\r\n"), "a%20b%2Fc%3Fd%26e%3Df%25%23%0D%0A");
  EXPECT_EQ(escaped("/a/b c", "/"), "/a/b%20c");
  EXPECT_EQ(escaped("\xc3\xa9"), "%C3%A9");
}

TEST(ContainerNames, AreNothingThatCouldBeAPath) {
  for (const char* good : {"a", "e58a1c6a44de", "acp-agent-1_2.3"}) {
    EXPECT_TRUE(is_container_name(good)) << good;
  }
  const std::string long_name(256, 'a');
  for (const char* bad : {"", ".", "..", "-a", "_a", "a/b", "a b", "a%2f", "a?b", "\xc3\xa9", "a\n",
                          long_name.c_str()}) {
    EXPECT_FALSE(is_container_name(bad)) << bad;
  }
}

TEST(SignalNames, AreWordsAndNumbers) {
  for (const char* good : {"TERM", "SIGKILL", "9", "SIGRTMIN+1"}) {
    EXPECT_TRUE(is_signal_name(good)) << good;
  }
  for (const char* bad : {"", "A B", "TERM&x=1", "KKKKKKKKKKKKKKKKK"}) {
    EXPECT_FALSE(is_signal_name(bad)) << bad;
  }
}

TEST(Filters, AreEscapedJson) {
  EXPECT_EQ(label_filter({}), "%7B%7D");
  EXPECT_EQ(label_filter({"a", "b=\"c"}), "%7B%22label%22%3A%5B%22a%22%2C%22b%3D%5C%22c%22%5D%7D");
  EXPECT_EQ(event_filter("a"),
            "%7B%22type%22%3A%5B%22container%22%5D%2C%22label%22%3A%5B%22a%22%5D%7D");
}

}  // namespace
}  // namespace relay::engine
