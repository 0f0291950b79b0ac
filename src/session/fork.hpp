// The messages that a forked session begins with.
#pragma once

#include "session/fork_point.hpp"
#include "session/session.hpp"

#include <string_view>

namespace relay {

// The cause in the log of a fork whose messages are not all there: a relay that was killed in
// between leaves it open, and the next run erases it.
inline constexpr std::string_view kUnfinishedFork = "fork_unfinished";

// Writes them into the log's session `to`, which is there and has none: with its id in the place of
// the other's, as settled calls, and with the other's gaps. Pauses when the log falls behind.
// Errors: internal_error (the log can't be read or written).
Task<Result<void>> copy_messages(const SessionContext& context, ForkPoint from, SessionId to);

}  // namespace relay
