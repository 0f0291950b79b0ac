// stream_client SCENARIO --name value ...
//
// What an agent is to its upstream, through a forwarder or relay that is already there. Runs one
// measurement and prints one line of JSON. options.cpp has the usage text, scenarios.hpp what is
// printed.

#include "common/failure.hpp"
#include "stream_client/options.hpp"
#include "stream_client/scenarios.hpp"

int main(int argc, char** argv) {
  using namespace relay::bench;
  const StreamOptions options = parse_stream_options(argc, argv);
  if (options.scenario == "first_byte") {
    measure_first_byte(options);
  } else if (options.scenario == "rate") {
    measure_rate(options);
  } else if (options.scenario == "shares") {
    measure_shares(options);
  } else {
    fail("unknown scenario: " + options.scenario);
  }
  return 0;
}
