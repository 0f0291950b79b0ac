#include "http/media_type.hpp"

#include <gtest/gtest.h>

namespace relay::http {
namespace {

TEST(MediaType, IsPreferredByTheClosestRangeAndItsWeight) {
  struct Row {
    const char* accept;
    const char* type;
    int weight;
    bool named;
  };
  const Row table[] = {
      {"", "application/json", 1000, false},
      {" , ", "application/json", 1000, false},
      {"*/*", "application/json", 1000, false},
      {"application/*;q=0.5", "application/json", 500, false},
      {"Application/JSON", "application/json", 1000, true},
      {"APPLICATION/*", "application/json", 1000, false},
      {"text/html, application/json;q=0.25", "application/json", 250, true},
      {"text/html, application/json; Q=0.125", "application/json", 125, true},
      {"text/event-stream;q=0, */*", "text/event-stream", 0, false},
      {"*/*;q=0.1, text/event-stream;q=0.000", "text/event-stream", 0, false},
      {"text/*;q=0.3, */*;q=0.9", "text/event-stream", 300, false},
      {"application/json;q=1.000", "application/json", 1000, true},
      {"application/json;q=much", "application/json", 1000, true},
      {"application/json;q=", "application/json", 1000, true},
      {"application/json;profile=\"a,b;q=0\";q=0.7", "application/json", 700, true},
      {"application/jsonl", "application/json", 0, false},
      {"text/*", "application/json", 0, false},
      {"application/json;profile=\"open", "application/json", 1000, true},
  };
  for (const Row& row : table) {
    const Preference found = preference({{"accept", row.accept}}, row.type);
    EXPECT_EQ(found.weight, row.weight) << row.accept;
    EXPECT_EQ(found.named, row.named) << row.accept;
  }
}

TEST(MediaType, IsPreferredByAllAcceptHeadersTogether) {
  const Headers headers{{"Accept", "application/json;q=0.5"}, {"ACCEPT", "text/event-stream"}};
  EXPECT_EQ(preference(headers, "application/json").weight, 500);
  EXPECT_EQ(preference(headers, "text/event-stream").weight, 1000);
  EXPECT_EQ(preference({}, "text/event-stream").weight, 1000);
}

TEST(MediaType, IsComparedWithoutCaseAndParameters) {
  for (const char* same : {"application/json", "Application/JSON", "application/json;charset=UTF-8",
                           "application/json ; charset=utf-8"}) {
    EXPECT_TRUE(is_media_type(same, "application/json")) << same;
  }
  for (const char* other : {"", "application/json-patch+json", "text/json", "application/jso"}) {
    EXPECT_FALSE(is_media_type(other, "application/json")) << other;
  }
}

}  // namespace
}  // namespace relay::http
