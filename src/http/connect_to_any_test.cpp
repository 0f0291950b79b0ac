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
#include <vector>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using testing::ClosedPort;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
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

// Of addresses that are all silent.
std::vector<std::chrono::milliseconds> shares(std::chrono::milliseconds left, std::size_t count) {
  std::vector<std::chrono::milliseconds> out;
  for (; count > 0; --count) {
    out.push_back(share_of(left, count));
    left -= out.back();
  }
  return out;
}

TEST(ShareOf, IsEnoughForASlowWayAndLeavesTheOthersEnoughForMost) {
  EXPECT_THAT(shares(10s, 1), ElementsAre(10s));
  EXPECT_THAT(shares(10s, 2), ElementsAre(5s, 5s));
  EXPECT_THAT(shares(5s, 3), ElementsAre(2s, 2s, 1s));
  EXPECT_THAT(shares(5s, 8), ElementsAre(2s, 1200ms, 300ms, 300ms, 300ms, 300ms, 300ms, 300ms));
  EXPECT_THAT(shares(1s, 10), Each(100ms)) << "there is not more";
  EXPECT_THAT(shares(2ms, 4), Each(Ge(1ms))) << "0 would be without an end";
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
