#include "cli/egress_question.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace relay::cli {
namespace {

egress::Upstream upstream(std::string name, std::string_view origin, std::string base) {
  egress::Upstream made;
  made.name = std::move(name);
  made.endpoint = http::Endpoint::parse(origin).value();
  made.base_path = std::move(base);
  return made;
}

TEST(AskedTarget, ComesFromEveryWayToSayIt) {
  const std::vector<egress::Upstream> upstreams{
      upstream("anthropic", "https://api.anthropic.com", ""),
      upstream("router", "https://openrouter.ai", "/api"),
      upstream("beta", "https://openrouter.ai", "/api/beta"),
      upstream("ollama", "http://127.0.0.1:11434", "")};
  struct Row {
    const char *url, *target;
  };
  for (const Row& row : {
           Row{"/anthropic/v1/messages", "/anthropic/v1/messages"},
           Row{"http://127.0.0.1:9180/anthropic/v1?a=b", "/anthropic/v1?a=b"},
           Row{"http://localhost:9180/anthropic", "/anthropic"},
           Row{"http://localhost:9180", "/"},
           Row{"https://api.anthropic.com/v1/messages", "/anthropic/v1/messages"},
           Row{"https://api.anthropic.com:443/v1", "/anthropic/v1"},
           Row{"https://api.anthropic.com", "/anthropic"},
           Row{"https://openrouter.ai/api/v1/models", "/router/v1/models"},
           Row{"https://openrouter.ai/api/beta/x", "/beta/x"},
           Row{"https://openrouter.ai/api/betas", "/router/betas"},
           Row{"https://openrouter.ai/api?q", "/router?q"},
           Row{"http://127.0.0.1:11434/api/tags", "/ollama/api/tags"},
       }) {
    EXPECT_EQ(asked_target(row.url, upstreams, 9180), row.target) << row.url;
  }
  for (const char* elsewhere :
       {"https://openrouter.ai/apis", "http://api.anthropic.com/v1",
        "https://api.anthropic.com:444/", "https://example.com/", "http://127.0.0.1:9181/anthropic",
        "https://127.0.0.1:9180/x", "api.anthropic.com/v1", "unix:///run/x.sock", ""}) {
    EXPECT_EQ(asked_target(elsewhere, upstreams, 9180), std::nullopt) << elsewhere;
  }
}

}  // namespace
}  // namespace relay::cli
