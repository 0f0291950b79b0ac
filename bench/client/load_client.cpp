// load_client SCENARIO --name value ...
//
// One client for every contender. Runs one measurement against a server that is already there and
// prints one line of JSON. options.cpp has the usage text, scenarios.hpp what is printed.

#include "client/options.hpp"
#include "client/scenarios.hpp"
#include "common/failure.hpp"

int main(int argc, char** argv) {
  using namespace relay::bench;
  const Options options = parse_options(argc, argv);
  if (options.scenario == "round_trips") {
    measure_round_trips(options);
  } else if (options.scenario == "fan_out") {
    measure_fan_out(options);
  } else if (options.scenario == "session_start") {
    measure_session_start(options);
  } else if (options.scenario == "idle_sessions") {
    measure_idle_sessions(options);
  } else if (options.scenario == "idle_clients") {
    measure_idle_clients(options);
  } else {
    fail("unknown scenario: " + options.scenario);
  }
  return 0;
}
