#include "cli/configured_relay.hpp"

#include <gtest/gtest.h>

namespace relay::cli {
namespace {

TEST(EndpointOf, IsThePortSeenFromBesideIt) {
  struct Row {
    std::string host, asked;
  };
  for (const Row& row :
       {Row{"0.0.0.0", "127.0.0.1"}, Row{"::", "::1"}, Row{"127.0.0.1", "127.0.0.1"},
        Row{"10.1.2.3", "10.1.2.3"}, Row{"localhost", "localhost"}}) {
    config::ServerConfig server;
    server.management_host = row.host;
    server.management_port = 9082;
    const auto target = endpoint_of(server, Port::kManagement);
    ASSERT_TRUE(target) << row.host;
    EXPECT_EQ(target->host, row.asked);
    EXPECT_EQ(target->port, 9082);
    EXPECT_EQ(target->transport, http::Endpoint::Transport::kTcp);
  }
  config::ServerConfig server;
  server.http_host = "::";
  server.http_port = 9080;
  const auto target = endpoint_of(server, Port::kHttp);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->to_string(), "http://[::1]:9080");
}

TEST(EndpointOf, WantsTheCertificateThatTheRelayHas) {
  config::ServerConfig server;
  server.tls.cert = "cert.pem";
  const auto target = endpoint_of(server, Port::kManagement);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->transport, http::Endpoint::Transport::kTls);
  EXPECT_EQ(target->pinned_file, "cert.pem");
}

TEST(EndpointOf, CannotKnowAPortThatIsAnyFreeOne) {
  config::ServerConfig server;
  server.management_port = 0;
  const auto target = endpoint_of(server, Port::kManagement);
  ASSERT_FALSE(target);
  EXPECT_NE(target.error().text.find("server.management_port"), std::string::npos);
}

}  // namespace
}  // namespace relay::cli
