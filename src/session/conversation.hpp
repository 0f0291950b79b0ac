// Carries a Handshake out with an agent that runs.
#pragma once

#include "session/handshake.hpp"
#include "session/session.hpp"

#include <optional>
#include <string>
#include <vector>

namespace relay {

// Sends and reads until the handshake is ready (empty result) or can't become so. What the agent
// said after its last word goes to `early`, which also says how far its output was read. Has no
// time limit of its own.
Task<std::optional<Error>> converse(const SessionContext& context, Agent& agent,
                                    Handshake& handshake, AgentOutput& early);

// Starts an agent for no session, lets it introduce itself (and log in, when the greeting says so),
// and ends it; also when `abort` happens. Gives its answer to `initialize`.
Task<Result<std::string>> introduce(const SessionContext& context, Greeting greeting, Event& abort);

}  // namespace relay
