#include "config/reload.hpp"

#include "config/keys.hpp"

#include <algorithm>

namespace relay::config {
namespace {

const NamedAgentConfig* agent_named(const Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.agents, name, &NamedAgentConfig::name);
  return found != config.agents.end() ? &*found : nullptr;
}

// What a further agent inherits of the default one is a part of it.
void compare_agents(const Config& running, const Config& loaded, Strings& need_restart) {
  for (const NamedAgentConfig& agent : running.agents) {
    const NamedAgentConfig* const other = agent_named(loaded, agent.name);
    if (other == nullptr || *other != agent) need_restart.push_back("agents." + agent.name);
  }
  for (const NamedAgentConfig& agent : loaded.agents) {
    if (agent_named(running, agent.name) == nullptr) {
      need_restart.push_back("agents." + agent.name);
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
  for (const Key& key : all_keys()) {
    if (key.is_same(running, loaded)) continue;
    if (key.reload == Reloading::kNeedsRestart) {
      reload.need_restart.push_back(key.path);
      continue;
    }
    key.copy(loaded, reload.config);
    reload.changed.push_back(key.path);
  }
  compare_agents(running, loaded, reload.need_restart);
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
