#include "session/agent_event.hpp"

#include <algorithm>

namespace relay {
namespace {

metrics::AgentEvent event_of(const storage::SessionRecord& session, metrics::ExitCause cause,
                             const Error& why) {
  metrics::AgentEvent event;
  event.time = wall_now();
  event.session = session.id.value();
  event.agent = session.agent;
  event.cause = cause;
  event.text = why.explanation;
  return event;
}

bool says_out_of_memory(const Error& error) {
  return std::any_of(error.state.begin(), error.state.end(), [](const auto& known) {
    const bool* const flag = std::get_if<bool>(&known.second);
    return known.first == "oom_killed" && flag != nullptr && *flag;
  });
}

std::optional<int> number_in(const Error& error, std::string_view key) {
  for (const auto& [name, value] : error.state) {
    const auto* const number = std::get_if<std::int64_t>(&value);
    if (name == key && number != nullptr) return static_cast<int>(*number);
  }
  return std::nullopt;
}

}  // namespace

metrics::AgentIsolation label_of(Isolation isolation) {
  return isolation == Isolation::kContainer ? metrics::AgentIsolation::kContainer
                                            : metrics::AgentIsolation::kProcess;
}

metrics::ExitCause exit_cause(const AgentExit& exit, bool asked_to) {
  if (asked_to) return metrics::ExitCause::kStopped;
  if (exit.oom_killed) return metrics::ExitCause::kOutOfMemory;
  if (exit.signal) return metrics::ExitCause::kSignalled;
  return exit.exit_code == 0 ? metrics::ExitCause::kExited : metrics::ExitCause::kFailed;
}

metrics::AgentEvent end_of_agent(const storage::SessionRecord& session, const AgentExit& exit,
                                 const Error& why) {
  metrics::AgentEvent event = event_of(session, exit_cause(exit, false), why);
  event.exit_code = exit.exit_code;
  event.signal = exit.signal;
  return event;
}

metrics::ExitCause cause_of_failed_start(const Error& why) {
  return says_out_of_memory(why) ? metrics::ExitCause::kOutOfMemory
                                 : metrics::ExitCause::kNotStarted;
}

metrics::AgentEvent start_that_failed(const storage::SessionRecord& session, const Error& why) {
  metrics::AgentEvent event = event_of(session, cause_of_failed_start(why), why);
  event.exit_code = number_in(why, "exit_code");
  event.signal = number_in(why, "signal");
  return event;
}

std::optional<metrics::AgentEvent> killed_for_memory(const storage::SessionRecord& session,
                                                     const Error& notice) {
  if (!says_out_of_memory(notice)) return std::nullopt;
  metrics::AgentEvent event = event_of(session, metrics::ExitCause::kOutOfMemory, notice);
  event.goes_on = true;
  return event;
}

}  // namespace relay
