#include "egress/agent_token.hpp"

#include "egress/agent_address.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relay::egress {
namespace {

TEST(HasToken, LooksWhereClientsPutTheirKey) {
  struct Row {
    const char *name, *value, *target;
    bool has;
  };
  for (const Row& row : {
           Row{"Authorization", "Bearer t-1", "/own/v1", true},
           Row{"authorization", "bearer t-1", "/own/v1", true},
           Row{"Authorization", "t-1", "/own/v1", false},
           Row{"Authorization", "Bearer t-12", "/own/v1", false},
           Row{"Authorization", "Bearer ", "/own/v1", false},
           Row{"x-api-key", "t-1", "/own/v1", true},
           Row{"X-Goog-Api-Key", "t-1", "/own/v1", true},
           Row{"api-key", "t-1", "/own/v1", true},
           Row{"api-key", "t-2", "/own/v1", false},
           Row{"X-Other", "t-1", "/own/v1", false},
           Row{"X-Other", "", "/own/v1?a=b&key=t%2d1", true},
           Row{"X-Other", "", "/own/v1?key=t-2&key=t-1", true},
           Row{"X-Other", "", "/own/v1?token=t-1", false},
           Row{"X-Other", "", "not a target", false},
       }) {
    http::Request request;
    request.target = row.target;
    request.headers = {{row.name, row.value}};
    EXPECT_EQ(has_token(request, "t-1"), row.has)
        << row.name << ": " << row.value << " " << row.target;
  }
}

TEST(FilledIn, SaysWhereTheBrokerIs) {
  const AgentAddress address{"http://127.0.0.1:1", "k"};
  EXPECT_EQ(filled_in("{upstream:own}/v1", address), "http://127.0.0.1:1/own/v1");
  EXPECT_EQ(filled_in("{upstream_key}", address), "k");
  EXPECT_EQ(filled_in("{upstream} {other}", address), "{upstream} {other}");
  EXPECT_EQ(filled_in(R"({"url":"{upstream:a}","key":"{upstream_key}"})", address),
            R"({"url":"http://127.0.0.1:1/a","key":"k"})");
}

}  // namespace
}  // namespace relay::egress
