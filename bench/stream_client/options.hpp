// What the stream client is asked to do: `stream_client SCENARIO --name value ...`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace relay::bench {

/// Where an agent finds its upstream, and what it sends as its key.
struct Way {
  std::uint16_t port = 0;
  std::string prefix;  // of the path, "/own"
  std::string key;     // empty: none
};

struct StreamOptions {
  std::string scenario;
  std::vector<Way> ways;    // from a file with "http://127.0.0.1:PORT/PREFIX KEY" in each line
  pid_t pid = 0;            // the forwarder or relay, whose CPU time is measured
  std::size_t body = 1024;  // bytes of a request's body
  std::size_t size = 64;    // bytes of an event
  std::size_t count = 1;    // events of an answer
  bool gather = false;      // the model writes many events at once
  double seconds = 1.0;     // first_byte, shares: length of the measured time
};

/// Ends the program with a usage line when the arguments make no sense.
StreamOptions parse_stream_options(int argc, char** argv);

}  // namespace relay::bench
