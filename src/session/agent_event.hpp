// Ends of agents as the list of recent events shows them. Pure.
#pragma once

#include "backend/agent.hpp"
#include "backend/agent_backend.hpp"
#include "base/error.hpp"
#include "metrics/recent_events.hpp"
#include "storage/records.hpp"

#include <optional>

namespace relay {

// How an agent's end is counted. `asked_to`: the relay ended it.
metrics::AgentIsolation label_of(Isolation isolation);
metrics::ExitCause exit_cause(const AgentExit& exit, bool asked_to);

// An end that nobody asked for; `why` is what its clients are told.
metrics::AgentEvent end_of_agent(const storage::SessionRecord& session, const AgentExit& exit,
                                 const Error& why);

// How the agent of a session ended that did not start.
metrics::ExitCause cause_of_failed_start(const Error& why);

// An agent that did not come to answer.
metrics::AgentEvent start_that_failed(const storage::SessionRecord& session, const Error& why);

// Of an agent that goes on: a process of it was killed for memory. Empty: the notice says something
// else.
std::optional<metrics::AgentEvent> killed_for_memory(const storage::SessionRecord& session,
                                                     const Error& notice);

}  // namespace relay
