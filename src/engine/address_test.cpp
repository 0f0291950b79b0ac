#include "engine/address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Row {
  AddressSources sources;
  const char* address;  // nullptr: an error
  const char* ca_file = "";
};

TEST(EngineAddress, FollowsConfigurationThenEnvironmentThenDefault) {
  const Row table[] = {
      {{}, "unix:///var/run/docker.sock"},
      {{"", "unix:///run/user/1000/docker.sock", "", "", ""}, "unix:///run/user/1000/docker.sock"},
      {{"unix:///a.sock", "unix:///b.sock", "", "", ""}, "unix:///a.sock"},
      {{"", "tcp://build", "", "", ""}, "http://build:2375"},
      {{"", "tcp://build:1234/", "", "", ""}, "http://build:1234"},
      {{"", "tcp://[::1]", "", "", ""}, "http://[::1]:2375"},
      {{"", "tcp://[::1]:99", "", "", ""}, "http://[::1]:99"},
      {{"", "tcp://build", "/certs/", "", ""}, "https://build:2376", "/certs/ca.pem"},
      {{"", "tcp://build", "", "1", "/home/me"}, "https://build:2376", "/home/me/.docker/ca.pem"},
      {{"", "tcp://build:2377", "/c", "1", "/home/me"}, "https://build:2377", "/c/ca.pem"},
      {{"", "http://build:1", "/c", "1", ""}, "http://build:1"},
      {{"", "https://build:1", "", "", ""}, "https://build:1"},
      {{"", "https://build:1", "/c", "", ""}, "https://build:1", "/c/ca.pem"},
      {{"", "unix:///a@b.sock", "/c", "1", ""}, "unix:///a@b.sock"},
      {{"", "tcp://build", "", "1", ""}, nullptr},
      {{"/var/run/docker.sock", "", "", "", ""}, nullptr},
      {{"unix://relative", "", "", "", ""}, nullptr},
      {{"tcp://", "", "", "", ""}, nullptr},
      {{"tcp://build:0", "", "", "", ""}, nullptr},
      {{"tcp://build:70000", "", "", "", ""}, nullptr},
      {{"tcp://build/path", "", "", "", ""}, nullptr},
      {{"ssh://me@build", "", "", "", ""}, nullptr},
      {{"npipe:////./pipe/docker_engine", "", "", "", ""}, nullptr},
      {{"fd://", "", "", "", ""}, nullptr},
      {{"://", "", "", "", ""}, nullptr},
      {{"unix://" + std::string(200, '/'), "", "", "", ""}, nullptr},
  };
  for (const Row& row : table) {
    const Result<http::Endpoint> endpoint = engine_address(row.sources);
    const std::string label = row.sources.configured + "|" + row.sources.docker_host;
    ASSERT_EQ(endpoint.has_value(), row.address != nullptr) << label;
    if (endpoint) {
      EXPECT_EQ(endpoint->to_string(), row.address) << label;
      EXPECT_EQ(endpoint->ca_file, row.ca_file) << label;
      EXPECT_TRUE(endpoint->verify_peer) << label;
    } else {
      EXPECT_EQ(endpoint.error().type, ErrorType::kDockerNotAvailable) << label;
      EXPECT_FALSE(endpoint.error().suggested_actions.empty()) << label;
    }
  }
}

TEST(EngineAddress, NamesWhereAWrongAddressComesFrom) {
  const Result<http::Endpoint> key = engine_address({"nonsense", "", "", "", ""});
  ASSERT_FALSE(key);
  EXPECT_THAT(key.error().explanation, HasSubstr("container.docker_host is \"nonsense\""));
  const Result<http::Endpoint> variable = engine_address({"", "/run/d.sock", "", "", ""});
  ASSERT_FALSE(variable);
  EXPECT_THAT(variable.error().suggested_actions.front(),
              HasSubstr("set DOCKER_HOST to unix:///run/d.sock"));
}

TEST(EngineAddress, RepeatsNoPassword) {
  for (const char* address : {"tcp://me:secret@build", "ssh://me:secret@build", "me:secret@build",
                              "http://me:secret@build/path", "secret@tcp://build"}) {
    const Result<http::Endpoint> endpoint = engine_address({address, "", "", "", ""});
    ASSERT_FALSE(endpoint) << address;
    EXPECT_THAT(endpoint.error().explanation, Not(HasSubstr("secret")));
    EXPECT_THAT(endpoint.error().suggested_actions.front(), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace relay::engine
