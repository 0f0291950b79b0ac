// For tests: an image of nothing but the demo agent, under a tag of their own.
#pragma once

#include "engine/client.hpp"
#include "engine/tar.hpp"
#include "engine/testing/run_task.hpp"

#include <fstream>
#include <iterator>
#include <string>

namespace relay::engine {

inline std::string demo_image(const std::string& tag) { return "relay-engine-test:" + tag; }

inline Task<void> import_demo_image(http::Endpoint endpoint, std::string tag) {
  const auto executor = co_await asio::this_coro::executor;
  std::ifstream file(RELAY_STATIC_DEMO_AGENT, std::ios::binary);
  const std::string agent{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(agent.empty()) << "acp-demo-agent is not built";
  http::Client client(executor, endpoint, {});
  http::Request request;
  request.method = "POST";
  request.target = "/v1.41/images/create?fromSrc=-&repo=relay-engine-test&tag=" + tag +
                   "&changes=ENV%20COLOUR%3Dgreen&changes=CMD%20%5B%22%2Facp-demo-agent%22%5D";
  request.headers = {{"Content-Type", "application/x-tar"}};
  request.body = executable_archive("acp-demo-agent", agent);
  const Result<http::Response> answer = co_await client.request(request);
  RELAY_NEED(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
}

inline Task<void> remove_demo_image(http::Endpoint endpoint, std::string tag) {
  const auto executor = co_await asio::this_coro::executor;
  http::Client client(executor, endpoint, {});
  http::Request request;
  request.method = "DELETE";
  request.target = "/v1.41/images/" + demo_image(tag) + "?force=1";
  const Result<http::Response> answer = co_await client.request(request);
  EXPECT_TRUE(answer) << testing::why(answer);
}

}  // namespace relay::engine
