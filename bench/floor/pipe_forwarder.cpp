// pipe_forwarder PORT AGENT [shared]
//
// The floor that the relay is compared with: bytes between TCP on 127.0.0.1 and an agent's pipes
// by bare epoll, without framing, parsing, log or limits. One agent a connection, or with
// `shared` one for all.

#include "common/loopback.hpp"
#include "floor/pair_forwarder.hpp"
#include "floor/shared_forwarder.hpp"

#include <cstdint>
#include <cstdlib>
#include <signal.h>
#include <string_view>

int main(int argc, char** argv) {
  if (argc < 3) relay::bench::fail("usage: pipe_forwarder PORT AGENT [shared]");
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_IGN);  // the kernel reaps the agents
  relay::bench::Fd listener =
      relay::bench::listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
  if (argc > 3 && std::string_view(argv[3]) == "shared") {
    relay::bench::forward_shared(std::move(listener), argv[2]);
  }
  relay::bench::forward_pairs(std::move(listener), argv[2]);
}
