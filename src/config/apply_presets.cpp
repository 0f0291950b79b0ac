// What an agent's preset and its way out decide where nothing else is said: after all keys are
// read, because an agent inherits what others say, not what their presets come to.
#include "config/agent_keys.hpp"
#include "config/agent_presets.hpp"
#include "config/apply.hpp"
#include "config/suggest.hpp"

#include <algorithm>

namespace relay::config {
namespace {

// The keys of one agent: those of the default one lie in two sections.
struct AgentPlace {
  std::string agent;      // "agent." or "agents.NAME."
  std::string container;  // "container." or "agents.NAME."
};

constexpr std::string_view kOfDefaultAgent = "agent.";

class PresetApplier {
 public:
  PresetApplier(AgentPlace place, AgentConfig& agent, ContainerConfig& container, Loading& loading)
      : place_(std::move(place)), agent_(agent), container_(container), loading_(loading) {}

  void run() {
    if (!agent_.preset.empty()) apply_preset();
    if (container_.enabled && !agent_.upstreams.empty()) harden();
  }

 private:
  void apply_preset() {
    const AgentPreset* const preset = find_agent_preset(agent_.preset);
    if (preset == nullptr) {
      Strings names;
      for (const AgentPreset& known : agent_presets()) names.push_back(known.name);
      const auto meant = nearest(agent_.preset, names);
      refuse("\"" + agent_.preset + "\" is not a preset of agents",
             meant ? "did you mean " + *meant + "?" : "the presets are " + agent_preset_names());
      return;
    }
    const UpstreamConfig* const model =
        model_upstream(*preset, agent_.upstreams, loading_.config.egress.upstreams);
    if (model == nullptr) {
      refuse_without_upstream(*preset);
      return;
    }
    if (agent_.upstreams.empty()) agent_.upstreams = {model->name};
    if (!container_.enabled) {
      start_process(*preset);
      return;
    }
    if (!has_program()) container_.image = preset->image;
  }

  void start_process(const AgentPreset& preset) {
    if (!agent_.command.empty()) return;
    if (place_.agent == kOfDefaultAgent && !agent_.args.empty()) {
      loading_.problems.push_back(
          locate(loading_, place_.agent + "args",
                 "arguments without a command beside a preset, which has "
                 "its own",
                 "write the program before them: agent.command: " + preset.command.front()));
    }
    agent_.command = preset.command.front();
    agent_.args.assign(preset.command.begin() + 1, preset.command.end());
  }

  void refuse_without_upstream(const AgentPreset& preset) {
    const std::string usual = preset.ways.front().upstream;
    if (agent_.upstreams.empty()) {
      refuse("egress.upstreams has no model for " + preset.name + ": it speaks to " +
                 upstreams_of_preset(preset),
             "add egress: {upstreams: {" + usual + ": {credential: {value: \"${" + variable(usual) +
                 "}\"}}}}");
    } else {
      refuse("none of " + place_.agent + "upstreams is a model for " + preset.name +
                 ": it speaks to " + upstreams_of_preset(preset),
             "name one of these there, or write which of them yours is like: "
             "egress.upstreams.NAME.preset: " +
                 usual);
    }
  }

  static std::string variable(std::string upstream) {
    for (char& c : upstream) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return upstream + "_API_KEY";
  }

  // What runs with a model's account and needs nothing of the image but to run.
  void harden() {
    if (!is_said("drop_capabilities")) container_.drop_capabilities = {"ALL"};
    if (is_said("readonly_rootfs")) return;
    container_.readonly_rootfs = true;
    // What tools build in /tmp they run there; the workspace lets them, too.
    if (!is_said("tmpfs")) container_.tmpfs = {"/tmp:exec,mode=1777", "/run", "/var/tmp"};
  }

  // An image or a command that was meant for this preset, not for another agent's.
  bool has_program() const {
    const bool is_own = loading_.places.contains(place_.agent + "preset");
    const std::string section = is_own ? place_.container : "container.";
    return loading_.places.contains(section + "image") ||
           loading_.places.contains(section + "command");
  }

  // By the agent itself, or for all agents.
  bool is_said(const std::string& key) const {
    return loading_.places.contains(place_.container + key) ||
           loading_.places.contains("container." + key);
  }

  void refuse(const std::string& message, const std::string& remedy) {
    loading_.problems.push_back(locate(loading_, place_.agent + "preset", message, remedy));
  }

  const AgentPlace place_;
  AgentConfig& agent_;
  ContainerConfig& container_;
  Loading& loading_;
};

}  // namespace

void apply_presets(Loading& loading) {
  Config& config = loading.config;
  PresetApplier({"agent.", "container."}, config.agent, config.container, loading).run();
  for (NamedAgentConfig& named : config.agents) {
    const std::string section = agent_path(named.name, "");
    PresetApplier({section, section}, named.agent, named.container, loading).run();
  }
}

}  // namespace relay::config
