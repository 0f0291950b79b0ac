#include "http/connect_to_any.hpp"

#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using testing::ClosedPort;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::RawServer;
using testing::run;
using LoopbackTcp = asio::ip::tcp;

LoopbackTcp::endpoint at_port(std::uint16_t port) {
  return {asio::ip::address_v4::loopback(), port};
}

// Swallows what would connect to it: the one connection that may wait here does.
class SilentPort {
 public:
  SilentPort() {
    acceptor_.open(LoopbackTcp::v4());
    acceptor_.bind(at_port(0));
    acceptor_.listen(0);
    waits_.emplace(port());
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string name() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  asio::io_context loop_;
  LoopbackTcp::acceptor acceptor_{loop_};
  std::optional<RawClient> waits_;
};

// Nothing when it connects.
std::optional<Error> failure_to_connect(const Addresses& addresses,
                                        std::chrono::steady_clock::time_point until) {
  std::optional<Error> failure;
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    const auto socket = co_await connect_to_any(executor, addresses, until);
    if (!socket) failure = socket.error();
  });
  return failure;
}

TEST(ConnectToAny, GoesOnWhereOneIsSilent) {
  const SilentPort silent;
  const RawServer server;
  const Addresses addresses{at_port(silent.port()), at_port(server.port())};
  EXPECT_FALSE(failure_to_connect(addresses, std::chrono::steady_clock::now() + 200ms));
  EXPECT_TRUE(server.has_connection());
}

TEST(ConnectToAny, GoesOnWhereOneRefusesHoweverLongItMayTake) {
  const ClosedPort closed;
  const RawServer server;
  const Addresses addresses{at_port(closed.port()), at_port(server.port())};
  EXPECT_FALSE(failure_to_connect(addresses, std::chrono::steady_clock::time_point::max()));
  EXPECT_TRUE(server.has_connection());
}

TEST(ConnectToAny, NamesWhatWasSilent) {
  const SilentPort silent;
  const ClosedPort closed;
  const Addresses one{at_port(silent.port())};
  const auto late = failure_to_connect(one, std::chrono::steady_clock::now() + 50ms);
  ASSERT_TRUE(late);
  EXPECT_EQ(number_of(*late, "errno"), ETIMEDOUT);
  EXPECT_EQ(late->explanation, silent.name() + " did not answer in time");
  const Addresses both{at_port(silent.port()), at_port(closed.port())};
  const auto refused = failure_to_connect(both, std::chrono::steady_clock::now() + 100ms);
  ASSERT_TRUE(refused);
  EXPECT_EQ(number_of(*refused, "errno"), ECONNREFUSED);
  EXPECT_THAT(refused->explanation, HasSubstr("refused; " + silent.name() + " did not answer"));
}

}  // namespace
}  // namespace relay::http
