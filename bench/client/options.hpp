// What the load client is asked to do: `load_client SCENARIO --name value ...`.
#pragma once

#include "client/framing.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace relay::bench {

struct Options {
  std::string scenario;
  Framing framing = Framing::kWebSocket;
  std::uint16_t port = 0;
  pid_t pid = 0;             // the program whose CPU time and memory are measured
  std::size_t sessions = 1;  // round trips: connections with a session each
  std::size_t depth = 1;     // round trips: requests in flight a session
  std::size_t size = 300;    // bytes of a message
  double seconds = 1.0;      // round trips: length of the measured time
  bool prompt = false;       // round trips: session/prompt instead of _bench/echo
  std::size_t clients = 1;   // fan-out
  std::size_t count = 1000;  // fan-out: updates; session start: rounds; idle memory: how many
  bool paced = false;        // fan-out
  std::string agent;         // session start: spawn this instead of asking a relay
};

/// Ends the program with a usage line when the arguments make no sense.
Options parse_options(int argc, char** argv);

}  // namespace relay::bench
