// The messages that a forked session begins with.
#pragma once

#include "session/fork_point.hpp"
#include "session/session.hpp"

namespace relay {

// Writes them into the log's session `to`, which is there and has none: with its id in the place of
// the other's, as settled calls, and with the other's gaps. Pauses when the log falls behind.
// Errors: internal_error (the log can't be read or written), session_not_found (the other one was
// deleted before all was copied).
Task<Result<void>> copy_messages(const SessionContext& context, ForkPoint from, SessionId to);

}  // namespace relay
