#include "cli/alive_target.hpp"

#include <gtest/gtest.h>

namespace relay::cli {
namespace {

TEST(AliveTarget, IsTheManagementPortSeenFromBesideIt) {
  struct Row {
    std::string host, asked;
  };
  for (const Row& row :
       {Row{"0.0.0.0", "127.0.0.1"}, Row{"::", "::1"}, Row{"127.0.0.1", "127.0.0.1"},
        Row{"10.1.2.3", "10.1.2.3"}, Row{"localhost", "localhost"}}) {
    config::ServerConfig server;
    server.management_host = row.host;
    server.management_port = 9082;
    const auto target = alive_target(server);
    ASSERT_TRUE(target) << row.host;
    EXPECT_EQ(target->host, row.asked);
    EXPECT_EQ(target->port, 9082);
    EXPECT_EQ(target->transport, http::Endpoint::Transport::kTcp);
  }
}

TEST(AliveTarget, TakesTheCertificateAsItIs) {
  config::ServerConfig server;
  server.tls.cert = "cert.pem";
  const auto target = alive_target(server);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->transport, http::Endpoint::Transport::kTls);
  EXPECT_FALSE(target->verify_peer);
}

TEST(AliveTarget, CannotKnowAPortThatIsAnyFreeOne) {
  config::ServerConfig server;
  server.management_port = 0;
  const auto target = alive_target(server);
  ASSERT_FALSE(target);
  EXPECT_NE(target.error().text.find("server.management_port"), std::string::npos);
}

}  // namespace
}  // namespace relay::cli
