// A running relay on one page, as a JSON text. Pure.
#pragma once

#include "management/agent_survey.hpp"
#include "management/readiness.hpp"
#include "metrics/metrics.hpp"
#include "storage/message_log.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relay::management {

// A live session and its agent.
struct AgentRow {
  std::string session;
  std::string agent;  // name of a configured agent; empty: the default one
  std::string isolation;
  std::string runs_as;  // empty: it has not been started yet
  metrics::SessionState state = metrics::SessionState::kStarting;
  std::size_t clients = 0;
  AgentReading reading;
};

struct OverviewFacts {
  WallTime now{};
  std::string_view version;
  std::chrono::seconds uptime{0};
  ReadinessFacts readiness;
  storage::LogStatus log;
  // Of all sessions, by state.
  metrics::Counts<metrics::SessionState, metrics::SessionState::kClosing> sessions;
  std::vector<AgentRow> agents;  // those of the page
  std::size_t all_agents = 0;
  std::size_t offset = 0;
};

// {"time","version","uptimeSeconds","readiness":{...},"sessions":{"limit","starting","ready",
//  "turn","closing"},"agents":[...],"agentsTotal","agentsOffset","events":[...],"errors":[...]}
// Events and errors have the newest first. What is not known is null.
std::string overview_view(const OverviewFacts& facts, const metrics::RecentEvents& recent);

}  // namespace relay::management
