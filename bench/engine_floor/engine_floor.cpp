// engine_floor SCENARIO --name value ...
//
// Sessions in containers by a bare client of the Docker Engine, and by a relay in the same run.
// options.cpp has the usage text, scenarios.hpp what is printed. When it fails, containers may be
// left: whoever calls it puts a label into the create call and removes what has that label.

#include "common/failure.hpp"
#include "engine_floor/scenarios.hpp"

int main(int argc, char** argv) {
  using namespace relay::bench;
  const ContainerOptions options = parse_container_options(argc, argv);
  if (options.scenario == "start") {
    measure_starts(options);
  } else if (options.scenario == "round_trips") {
    measure_container_round_trips(options);
  } else if (options.scenario == "close") {
    measure_ends(options);
  } else if (options.scenario == "at_once") {
    measure_at_once(options);
  } else {
    fail("unknown scenario: " + options.scenario);
  }
  return 0;
}
