// The configured agents by name: where each runs and what its sessions keep to.
//
// Owns the contexts of their sessions, which stay where they are. Backends are not owned; they
// outlive the catalogue.
#pragma once

#include "session/session.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay {

// What another agent has of its own; the rest it shares with the default one.
struct AgentEntry {
  std::string name;
  AgentBackend& backend;
  SessionOptions options;
};

class AgentCatalogue {
 public:
  AgentCatalogue(SessionContext standard, std::vector<AgentEntry> others);

  const SessionContext& standard() const { return agents_.front(); }
  // Null: there is none with this name.
  const SessionContext* find(std::string_view name) const;
  // Whose backend has what there is of the session: its agent, or, where that is not configured any
  // more or runs in another way now, one that runs as it did. Null: none does.
  const SessionContext* for_record(const storage::SessionRecord& session) const;
  // The agent's settings from here on; none of this name: nothing happens.
  void change(std::string_view name, SessionOptions options);
  const std::vector<SessionContext>& all() const { return agents_; }  // the default agent is first

 private:
  std::vector<SessionContext> agents_;
};

// invalid_params, with the names there are.
Error unknown_agent(std::string_view name, const AgentCatalogue& agents);

// Why a session can't go on whose agent is none of them.
Error agent_is_gone(const std::string& name);

// Why a relay that is started does not go on with the agent of an open session; empty: it does.
// Another agent would give what runs there its own upstreams, and their credentials.
std::optional<Error> stays_behind(const storage::SessionRecord& session,
                                  const AgentCatalogue& agents);

// Whether a client may set these variables for a session of this agent; empty: it may.
std::optional<Error> forbidden_environment(
    const SessionContext& agent,
    const std::vector<std::pair<std::string, std::string>>& environment);

}  // namespace relay
