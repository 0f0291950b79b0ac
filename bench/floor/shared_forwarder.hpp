// The floor of a fan-out: one agent for all connections; what it prints goes to each of them as
// bytes, what any of them sends goes to the agent. The agent waits for the slowest connection.
// Runs until the program is ended by a signal.
#pragma once

#include "common/fd.hpp"

#include <string>

namespace relay::bench {

/// `listener` is a non-blocking listening socket.
[[noreturn]] void forward_shared(Fd listener, const std::string& agent);

}  // namespace relay::bench
