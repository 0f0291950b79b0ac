#include "http/lost_peer.hpp"

#include "base/unique_fd.hpp"
#include "http/client_connection.hpp"
#include "http/testing/run.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace relay::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;
using ::testing::EndsWith;
using testing::eventually;
using testing::RawClient;
using testing::RawServer;
using testing::run;
using testing::RunningServer;
using ::testing::StartsWith;

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

TEST(Silence, IsAsLongAsAnAcknowledgementWasDueAndNoneCame) {
  struct Look {
    const char* why;
    seconds at;
    Acknowledgements seen;
    seconds silent;
  };
  const Acknowledgements nothing_due{false, 1h};
  const std::vector<Look> looks{
      {"nothing was sent", 0s, nothing_due, 0s},
      {"it may have been sent just now", 10s, {true, 1h}, 0s},
      {"none came since", 20s, {true, 1h}, 10s},
      {"the last came as one was first seen to be due", 30s, {true, 20s}, 20s},
      {"others came, and more was sent", 40s, {true, 5s}, 0s},
      {"none came since", 50s, {true, 15s}, 10s},
      {"all came", 60s, nothing_due, 0s},
      {"more was sent", 70s, {true, 35s}, 0s},
      {"none came since", 190s, {true, 155s}, 120s},
  };
  Silence silence;
  const Silence::Clock::time_point start{};
  for (const Look& look : looks) {
    EXPECT_EQ(silence.look(look.seen, start + look.at), look.silent) << look.why;
  }
}

TEST(Silence, NothingIsDueWhereTheSocketIsNotOfTcp) {
  const UniqueFd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(acknowledgements(local.get()).is_due);
  EXPECT_FALSE(acknowledgements(-1).is_due);
}

// As if the cable were cut: nothing that comes for this socket is taken or acknowledged.
void cut_off(int socket) {
  sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &drop};
  ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

constexpr std::size_t kMoreThanItReads = 1u << 20;

// Streams until the peer goes away.
Task<void> stream(Exchange& exchange) {
  Response head;
  const auto started = co_await exchange.start_stream(std::move(head));
  const std::string bytes(exchange.request().path == "/much" ? kMoreThanItReads : 1, 'x');
  const auto written = co_await exchange.write(bytes);
  if (started && written) co_await peer_gone(exchange, HalfClosed::kIsGone);
}

TEST(LostPeer, IsNoticedWithSomethingOnItsWay) {
  ServerOptions options;
  options.lost_peer_time = 200ms;
  RunningServer server(options, stream);
  RawClient lost(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));
  cut_off(lost.fd());
  lost.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

// Its system says that it is there, and that it has no room.
TEST(LostPeer, IsNoneWhoReadsNothing) {
  ServerOptions options;
  options.lost_peer_time = 1s;  // it may have to be asked twice how much room it has
  RunningServer server(options, stream);
  RawClient reads_nothing(server.port());
  const int size = 4096;
  ASSERT_EQ(::setsockopt(reads_nothing.fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
  reads_nothing.send("GET /much HTTP/1.1\r\nHost: h\r\n\r\n");
  RawClient lost(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  cut_off(lost.fd());
  lost.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.connections() < 2; }));
  EXPECT_EQ(server.connections(), 1u);
  const std::string text = reads_nothing.read_until("xxxx");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace relay::http
