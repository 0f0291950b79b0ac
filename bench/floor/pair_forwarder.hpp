// The floor of a round trip: every TCP connection gets an agent of its own, and bytes go between
// socket and pipes without being looked at. Runs until the program is ended by a signal.
#pragma once

#include "common/fd.hpp"

#include <string>

namespace relay::bench {

/// `listener` is a non-blocking listening socket.
[[noreturn]] void forward_pairs(Fd listener, const std::string& agent);

}  // namespace relay::bench
