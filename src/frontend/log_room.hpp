// The wait for the log behind what a client has sent: it holds back who sends, and nobody else. A
// client that has gone is not waited with.
#pragma once

#include "http/server.hpp"
#include "session/session_directory.hpp"

namespace relay::frontend {

// Returns when the log has caught up, or the peer has gone: what it sent before may be read.
// False: the waiting coroutine was cancelled.
Task<bool> log_room(SessionDirectory& sessions, const http::WebSocket& socket);

// Returns when the log has caught up, or nobody waits for the answer any more.
Task<void> log_room(SessionDirectory& sessions, http::Exchange& exchange);

}  // namespace relay::frontend
