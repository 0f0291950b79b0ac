// The measurements. Each prepares, measures, prints one line of results and returns; anything
// unexpected ends the program with a message.
#pragma once

#include "stream_client/options.hpp"

namespace relay::bench {

/// One request after the other on one connection, each answered with one event; times from the
/// request to the answer's first byte and to its end.
/// first_us, first_p99_us, whole_us (p50), requests_per_s, cpu_us (per request).
void measure_first_byte(const StreamOptions& options);

/// One answer of many events, from the request to its end. mib_per_s, cpu_us (per MiB of payload).
void measure_rate(const StreamOptions& options);

/// Streams without an end through all ways at once. What each got in the same time:
/// least_mib, most_mib, spread (1 - least / most); mib_per_s and cpu_us (per MiB) of all.
void measure_shares(const StreamOptions& options);

}  // namespace relay::bench
