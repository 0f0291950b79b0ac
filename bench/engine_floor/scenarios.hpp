// The measurements in containers. Each lets the contenders take turns within one run, since what an
// Engine needs changes over minutes, and prints one line for each: its name, a tab, JSON.
#pragma once

#include "engine_floor/options.hpp"

namespace relay::bench {

/// From the request for a session to the agent's answer, for every contender. p50_us, p99_us.
void measure_starts(const ContainerOptions& options);

/// One request in flight, through the floor's attached stream and through the relay. p50_us,
/// p99_us.
void measure_container_round_trips(const ContainerOptions& options);

/// From the wish to end a session to the answer of a wait call of the Engine (exit_us), and until
/// nothing is left of it (gone_us); medians.
void measure_ends(const ContainerOptions& options);

/// Sessions started a second when N at a time are asked for: at_N.
void measure_at_once(const ContainerOptions& options);

}  // namespace relay::bench
