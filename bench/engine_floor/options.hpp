// What engine_floor is asked to do: `engine_floor SCENARIO --name value ...`.
#pragma once

#include "engine_floor/bare_session.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace relay::bench {

/// A way to start sessions without the relay; the first one is the floor itself.
struct BareContender {
  std::string name;
  SessionPlan plan;
};

struct ContainerOptions {
  std::string scenario;
  std::vector<BareContender> bare;
  std::string relay = "relay";  // the relay's name in the results
  std::uint16_t port = 0;       // its WebSocket port
  std::string cli;              // start: the docker command; empty: there is none
  std::string image;            // start: what it runs
  std::string label;            // start: what it puts on its containers
  std::size_t count = 10;       // rounds; round trips: messages; at once: sessions
  std::size_t size = 300;       // round trips: bytes of a message
  std::vector<std::size_t> at_a_time;
};

/// Ends the program with a usage line when the arguments make no sense.
ContainerOptions parse_container_options(int argc, char** argv);

}  // namespace relay::bench
