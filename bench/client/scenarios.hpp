// The measurements. Each prepares, measures, prints one line of results and returns; anything
// unexpected ends the program with a message.
#pragma once

#include "client/options.hpp"

namespace relay::bench {

/// Requests and their answers, `depth` in flight on each of `sessions` connections.
/// msgs_per_s, p50_us, p99_us, cpu_us, cpu_main_us, cpu_other_us (per message).
void measure_round_trips(const Options& options);

/// One agent's updates to `clients` connections of one session.
/// deliveries_per_s, cpu_us, cpu_main_us, cpu_other_us (per delivery), rss_kib.
void measure_fan_out(const Options& options);

/// From the request for a session to its answer. p50_us, p99_us.
void measure_session_start(const Options& options);

/// Growth of the relay a session or client. pss_kib, rss_kib, machine_kib (per item).
void measure_idle_sessions(const Options& options);
void measure_idle_clients(const Options& options);

}  // namespace relay::bench
