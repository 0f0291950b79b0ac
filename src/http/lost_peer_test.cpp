#include "http/lost_peer.hpp"

#include "http/client_connection.hpp"
#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace relay::http {
namespace {

using ::testing::EndsWith;
using testing::RawClient;
using testing::RawServer;
using testing::run;
using testing::RunningServer;

struct Alertness {
  int asks = -1;
  int after = -1;  // seconds
  int every = -1;  // likewise

  bool operator==(const Alertness&) const = default;
};

constexpr Alertness kNotices{1, 30, 10};

Alertness alertness(int socket) {
  const auto option = [socket](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, level, name, &value, &size) == 0 ? value : -1;
  };
  return {option(SOL_SOCKET, SO_KEEPALIVE), option(IPPROTO_TCP, TCP_KEEPIDLE),
          option(IPPROTO_TCP, TCP_KEEPINTVL)};
}

std::uint16_t port_of(const sockaddr_in& address) { return ntohs(address.sin_port); }

// The socket of this process whose peer is at that port; -1: there is none.
int socket_to(std::uint16_t port) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const std::string name = entry.path().filename();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const bool is_connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    if (is_connected && peer.sin_family == AF_INET && port_of(peer) == port) return fd;
  }
  return -1;
}

std::uint16_t own_port(const RawClient& client) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  EXPECT_EQ(::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  return port_of(own);
}

TEST(LostPeer, IsNoticedByWhoConnects) {
  const RawServer server;
  run([&]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    const Endpoint endpoint = *Endpoint::parse("http://127.0.0.1:" + std::to_string(server.port()));
    const auto connected =
        co_await ClientConnection::connect(executor, endpoint, std::chrono::seconds(10));
    EXPECT_EQ(alertness((*connected)->transport().socket().native_handle()), kNotices);
  });
}

TEST(LostPeer, IsNoticedByWhoAccepts) {
  RunningServer server({}, [](Exchange& exchange) -> Task<void> {
    Response response;
    response.body = "here";
    [[maybe_unused]] const auto sent = co_await exchange.respond(std::move(response));
  });
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_THAT(client.read_answer(), EndsWith("here"));  // so it has been accepted
  Alertness accepted;
  const std::uint16_t port = own_port(client);
  server.on_loop([&]() -> std::size_t {
    accepted = alertness(socket_to(port));
    return 0;
  });
  EXPECT_EQ(accepted, kNotices);
}

}  // namespace
}  // namespace relay::http
