#include "session/agent_catalogue.hpp"

#include <algorithm>
#include <iterator>

namespace relay {
namespace {

constexpr std::size_t kMostShown = 100;  // of a name that a client made up

}  // namespace

AgentCatalogue::AgentCatalogue(SessionContext standard, std::vector<AgentEntry> others) {
  agents_.reserve(1 + others.size());
  const SessionContext& first = agents_.emplace_back(std::move(standard));
  for (AgentEntry& other : others) {
    agents_.push_back({first.executor, other.backend, first.log, first.metrics, first.request_ids,
                       first.logger, std::move(other.options), first.redactor,
                       std::move(other.name)});
  }
}

const SessionContext* AgentCatalogue::find(std::string_view name) const {
  const auto found = std::ranges::find(agents_, name, &SessionContext::name);
  return found != agents_.end() ? &*found : nullptr;
}

const SessionContext* AgentCatalogue::for_record(const storage::SessionRecord& session) const {
  const auto runs_alike = [&session](const SessionContext& agent) {
    return to_string(agent.backend.isolation()) == session.isolation;
  };
  const SessionContext* const own = find(session.agent);
  if (own != nullptr && runs_alike(*own)) return own;
  const auto other = std::ranges::find_if(agents_, runs_alike);
  return other != agents_.end() ? &*other : nullptr;
}

void AgentCatalogue::change(std::string_view name, SessionOptions options) {
  const auto found = std::ranges::find(agents_, name, &SessionContext::name);
  if (found != agents_.end()) found->options = std::move(options);
}

Error unknown_agent(std::string_view name, const AgentCatalogue& agents) {
  std::string names;
  for (const SessionContext& entry : agents.all()) {
    if (entry.name.empty()) continue;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  const std::string shown(name.substr(0, kMostShown));
  Error error = make_error(ErrorType::kInvalidParams, "there is no agent \"" + shown + "\"")
                    .with("agent", shown)
                    .with("agents", names);
  if (!names.empty()) error.suggested_actions.push_back("choose one of: " + names);
  error.suggested_actions.emplace_back("leave agent out for the default one");
  return error;
}

Error agent_is_gone(const std::string& name) {
  return make_error(ErrorType::kAgentStartFailed,
                    "the session's agent " + name + " is not configured any more")
      .suggest("add agents." + name + " to the configuration")
      .suggest("read the session with session/history, or make another with session/new")
      .with("agent", name);
}

std::optional<Error> stays_behind(const storage::SessionRecord& session,
                                  const AgentCatalogue& agents) {
  const SessionContext* const own = agents.find(session.agent);
  if (own == nullptr) return agent_is_gone(session.agent);
  const Isolation now = own->backend.isolation();
  if (session.isolation.empty() || session.isolation == to_string(now)) return std::nullopt;
  const std::string name = own->name.empty() ? "the default agent" : "agent " + own->name;
  return make_error(ErrorType::kRelayRestarted,
                    "the relay was restarted, and " + name +
                        (now == Isolation::kProcess ? " runs as a process now"
                                                    : " runs in containers now"))
      .suggest("read what was said with session/resume")
      .suggest("make it go on with session/load at /acp, or make another with session/new")
      .with("agent", session.agent)
      .retryable();
}

std::optional<Error> forbidden_environment(
    const SessionContext& agent,
    const std::vector<std::pair<std::string, std::string>>& environment) {
  const std::vector<std::string>& allowed = agent.options.client_env;
  for (const auto& [name, value] : environment) {
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    const std::string key =
        agent.name.empty() ? "agent.client_env" : "agents." + agent.name + ".client_env";
    return make_error(ErrorType::kInvalidParams,
                      "clients may not set the environment variable " + name)
        .suggest("leave it out, or have the operator add it to " + key)
        .with("variable", name);
  }
  return std::nullopt;
}

}  // namespace relay
