#include "config/reload.hpp"

#include "config/agent_keys.hpp"
#include "config/keys.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace relay::config {
namespace {

const NamedAgentConfig* agent_named(const Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.agents, name, &NamedAgentConfig::name);
  return found != config.agents.end() ? &*found : nullptr;
}

void add_once(Strings& keys, const std::string& key) {
  if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
}

// The name of a key of `agent` or `container` below agents.NAME.
std::string name_for_agents(const Key& key) {
  const std::string& path = key.alias.empty() ? key.path : key.alias;
  return path.substr(path.find('.') + 1);
}

// The default agent's settings in `config`, replaced by this agent's.
Config seen_by(const NamedAgentConfig& agent) {
  Config view;
  view.agent = agent.agent;
  view.container = agent.container;
  return view;
}

// What runs an agent, what it may reach, and all that its preset and these decide belongs together:
// where one of them waits for the restart, the rest of the agent does. `Has` is what has an agent
// and a container.
template <class Has>
bool is_another(const Has& before, const Has& after) {
  return before.container.enabled != after.container.enabled ||
         before.agent.preset != after.agent.preset ||
         before.agent.upstreams != after.agent.upstreams ||
         before.agent.connect != after.agent.connect;
}

bool is_of_an_agent(const Key& key) {
  return key.path.starts_with("agent.") || key.path.starts_with("container.");
}

// Whether it changes now, for an agent that goes on or waits for the restart.
bool takes(const Key& key, bool waits) {
  return key.reload == Reloading::kAtOnce && !(waits && is_of_an_agent(key));
}

// Gives `target` what may be changed of the agent. What is inherited, and becomes of it what
// becomes of it for the default agent, is named there.
void compare_agent(const Config& running, const NamedAgentConfig& before, const Config& loaded,
                   const NamedAgentConfig& after, NamedAgentConfig& target, Reload& reload) {
  if (before.isolation != after.isolation) {
    reload.need_restart.push_back(agent_path(before.name, "isolation"));
    return;
  }
  const Config own_before = seen_by(before);
  const Config own_after = seen_by(after);
  Config result = own_before;
  const bool waits = is_another(before, after);
  const bool default_waits = is_another(running, loaded);
  for (const Key& key : all_keys()) {
    if (!is_of_an_agent(key)) continue;
    if (key.is_same(own_before, own_after)) continue;
    const bool changes = takes(key, waits);
    if (changes) key.copy(own_after, result);
    const bool inherited = key.is_same(running, own_before) && key.is_same(loaded, own_after);
    if (inherited && changes == takes(key, default_waits)) continue;
    add_once(changes ? reload.changed : reload.need_restart,
             agent_path(before.name, name_for_agents(key)));
  }
  target.agent = std::move(result.agent);
  target.container = std::move(result.container);
}

void compare_agents(const Config& running, const Config& loaded, Reload& reload) {
  for (std::size_t i = 0; i < running.agents.size(); ++i) {
    const NamedAgentConfig& agent = running.agents[i];
    const NamedAgentConfig* const other = agent_named(loaded, agent.name);
    if (other == nullptr) {
      reload.need_restart.push_back("agents." + agent.name);
    } else {
      compare_agent(running, agent, loaded, *other, reload.config.agents[i], reload);
    }
  }
  for (const NamedAgentConfig& agent : loaded.agents) {
    if (agent_named(running, agent.name) == nullptr) {
      reload.need_restart.push_back("agents." + agent.name);
    }
  }
}

std::string listed(const Strings& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ", ") + key;
  return text;
}

}  // namespace

Reload plan_reload(const Config& running, const Config& loaded) {
  Reload reload{running, {}, {}, {}};
  const bool agent_waits = is_another(running, loaded);
  for (const Key& key : all_keys()) {
    if (key.is_same(running, loaded)) continue;
    if (!takes(key, agent_waits)) {
      reload.need_restart.push_back(key.path);
      continue;
    }
    key.copy(loaded, reload.config);
    reload.changed.push_back(key.path);
  }
  compare_agents(running, loaded, reload);
  // Values of both are in it.
  for (const std::string& secret : loaded.expanded_secrets) {
    add_once(reload.config.expanded_secrets, secret);
  }
  for (Finding& finding : validate(reload.config)) {
    if (finding.severity == Severity::kProblem) reload.problems.push_back(std::move(finding));
  }
  return reload;
}

std::string describe(const Reload& reload) {
  if (reload.changed.empty() && reload.need_restart.empty()) return "nothing has changed";
  std::string text;
  if (!reload.changed.empty()) text = "changed: " + listed(reload.changed);
  if (!reload.need_restart.empty()) {
    text +=
        (text.empty() ? "" : "; ") + std::string("needs a restart: ") + listed(reload.need_restart);
  }
  return text;
}

}  // namespace relay::config
