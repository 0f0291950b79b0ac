// pipe_forwarder PORT AGENT [shared]
//
// The floor that the relay is compared with: bytes between TCP on 127.0.0.1 and an agent's pipes
// by bare epoll, without framing, parsing, log or limits. One agent a connection, or with
// `shared` one for all.

#include "floor/pair_forwarder.hpp"
#include "floor/shared_forwarder.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <signal.h>
#include <string_view>
#include <sys/socket.h>

namespace {

relay::bench::Fd listen_on(std::uint16_t port) {
  using relay::bench::fail_errno;
  relay::bench::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail_errno("bind");
  }
  if (::listen(socket.get(), SOMAXCONN) != 0) fail_errno("listen");
  return socket;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) relay::bench::fail("usage: pipe_forwarder PORT AGENT [shared]");
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_IGN);  // the kernel reaps the agents
  relay::bench::Fd listener = listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
  if (argc > 3 && std::string_view(argv[3]) == "shared") {
    relay::bench::forward_shared(std::move(listener), argv[2]);
  }
  relay::bench::forward_pairs(std::move(listener), argv[2]);
}
