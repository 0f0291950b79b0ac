// For tests: the Engine of DOCKER_HOST with an image of nothing but the demo agent, under a tag of
// the process's own.
#pragma once

#include "engine/address.hpp"
#include "engine/client.hpp"
#include "engine/tar.hpp"
#include "engine/testing/run_task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <utility>

namespace relay::engine {

inline std::string demo_image(const std::string& tag) { return "relay-engine-test:" + tag; }

// Why there is no image; empty when there is one.
inline Task<std::string> import_demo_image(http::Endpoint endpoint, std::string tag) {
  const auto executor = co_await asio::this_coro::executor;
  std::ifstream file(RELAY_STATIC_DEMO_AGENT, std::ios::binary);
  const std::string agent{std::istreambuf_iterator<char>(file), {}};
  if (agent.empty()) co_return "acp-demo-agent is not built";
  http::Client client(executor, endpoint, {});
  http::Request request;
  request.method = "POST";
  request.target = "/v1.41/images/create?fromSrc=-&repo=relay-engine-test&tag=" + tag +
                   "&changes=ENV%20COLOUR%3Dgreen&changes=CMD%20%5B%22%2Facp-demo-agent%22%5D";
  request.headers = {{"Content-Type", "application/x-tar"}};
  request.body = executable_archive("acp-demo-agent", agent);
  const Result<http::Response> answer = co_await client.request(request);
  if (!answer) co_return answer.error().explanation;
  co_return answer->status == 200 ? std::string() : "no image was made: " + answer->body;
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

// Makes both for its suite, of which a program has one. What hinders it fails every test and not
// the suite's own set-up: tests of a suite that failed to set up would count as skipped.
class DemoImageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Result<http::Endpoint> endpoint = engine_address(address_sources(""));
    if (!endpoint) {
      trouble_ = endpoint.error().explanation;
      return;
    }
    endpoint_ = *endpoint;
    tag_ = "live-" + std::to_string(::getpid());
    trouble_ = "the Engine did not answer in time";
    asio::io_context loop(1);
    const auto done = asio::co_spawn(loop, prepare(), asio::use_future);
    loop.run_for(std::chrono::seconds(60));
  }

  static void TearDownTestSuite() {
    if (!is_ready()) return;
    testing::run([]() -> Task<void> { co_await remove_demo_image(endpoint_, tag_); });
  }

  void SetUp() override {
    ASSERT_TRUE(is_ready()) << "these tests need a Docker Engine, and " << trouble_
                            << ". Start one with scripts/engine.sh and set DOCKER_HOST.";
  }

  static bool is_ready() { return trouble_.empty(); }
  static std::string image() { return demo_image(tag_); }

  static inline http::Endpoint endpoint_;
  static inline std::string tag_;

 private:
  static Task<void> prepare() {
    const auto executor = co_await asio::this_coro::executor;
    EngineClient client(executor, endpoint_, {});
    const Result<EngineVersion> version = co_await client.connect();
    if (!version) {
      trouble_ = version.error().explanation;
      co_return;
    }
    std::string trouble = co_await import_demo_image(endpoint_, tag_);
    trouble_ = std::move(trouble);
  }

  static inline std::string trouble_ = "nothing was set up";  // empty: all is there
};

}  // namespace relay::engine
