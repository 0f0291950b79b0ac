// Errors that say how an agent failed, from what is known of its end. Pure.
#pragma once

#include "backend/agent.hpp"
#include "backend/agent_backend.hpp"
#include "base/error.hpp"

#include <chrono>
#include <string_view>

namespace relay {

// `phase`: what was going on, e.g. "initialize", "session/new", "turn", "idle".
Error agent_exited(const AgentExit& exit, std::string_view phase);
struct Silence {
  std::string_view phase;
  std::chrono::milliseconds limit;
  Isolation isolation;
  std::string_view stderr_tail;
  std::string_view
      said;  // the beginning of its first line that was no message; empty: it was silent
};
Error agent_timed_out(const Silence& silence);
// The agent answered the relay's own request with an error (JSON text of the error object).
Error agent_refused(std::string_view method, std::string_view error_json);
// Whether it says that the agent could not do it, rather than that it was asked wrongly, is not
// logged in or was told to stop.
bool is_agents_failure(std::string_view error_json);
// Whether it says that somebody has to log in.
bool wants_a_login(std::string_view error_json);
// Whether a session did not start for want of the relay or its agent: not because the agent was
// asked wrongly or wants a login, nor because somebody left or closed it.
bool is_failed_start(const Error& error);
// "exit code 3", "signal 9": the cause that is stored and shown in lists.
std::string describe_exit(const AgentExit& exit);

}  // namespace relay
