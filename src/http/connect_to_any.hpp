// A connection to the first of several addresses that answers.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "http/name_lookup.hpp"
#include "http/transport.hpp"

#include <chrono>
#include <cstddef>

namespace relay::http {

// What one address may take of the time that is `left` while so many are still to be tried, itself
// included: 2 s, or more where all can have that, as long as 300 ms are left for each other one.
// Less only where the time is too short for that. Pure.
std::chrono::milliseconds share_of(std::chrono::milliseconds left, std::size_t still_to_try);

// Tries them in their order, each for its share of the time that is left, so that one that swallows
// what it is sent leaves some to the next. `until` may be max(): then each has all the time it
// wants. Errors say why the last one failed and which were silent, and have an "errno": ETIMEDOUT
// when the last one was.
Task<Result<Transport::Socket>> connect_to_any(asio::any_io_executor executor,
                                               const Addresses& addresses,
                                               std::chrono::steady_clock::time_point until);

}  // namespace relay::http
