// What known agents need to reach their model through the relay's broker, as pure values.
//
// An agent gets all of it by its environment (docs/adr/0031): a base URL with plain HTTP on the
// loopback, and a word in the place of the key that it does not have.
#pragma once

#include "config/config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

// In the place of a key in a container: the broker takes it out of every request and puts the
// upstream's in.
inline constexpr std::string_view kPlaceholderKey = "placeholder";

// How an agent speaks to upstreams of one preset (config/upstream_presets.hpp). In the values <url>
// is where the agent finds its upstream, <url/v1> the same with a version behind it when the
// upstream's own URL ends in none, and <key> stands for the key.
struct AgentPresetWay {
  std::string upstream;
  StringMap env;
};

struct AgentPreset {
  std::string name;
  Strings command;                   // of a process
  std::string image;                 // that docker/build.sh makes of it
  std::vector<AgentPresetWay> ways;  // the usual one first; it is taken for upstreams of no preset
};

const std::vector<AgentPreset>& agent_presets();
const AgentPreset* find_agent_preset(std::string_view name);  // null: there is none
std::string agent_preset_names();                             // "claude, codex, ..."
std::string upstreams_of_preset(const AgentPreset& preset);   // "openai, openrouter"

// The upstream that the agent's model is: the first of agent.upstreams that its preset can speak
// to, or when that is empty the first such one of `all`, the preset's usual ones before others.
// Null: there is none.
const UpstreamConfig* model_upstream(const AgentPreset& preset, const Strings& of_agent,
                                     const std::vector<UpstreamConfig>& all);

// What the agent gets: the preset's variables but for those that agent.env has, then agent.env.
// Where upstreams are found is still to be filled in: "{upstream:NAME}" and "{upstream_key}" stand
// for it, in agent.env as well.
StringMap environment_with_preset(const AgentConfig& agent, const std::vector<UpstreamConfig>& all);

// Names in agent.env that take the place of the preset's placeholder with something secret.
Strings keys_beside_preset(const AgentConfig& agent, const std::vector<UpstreamConfig>& all);

}  // namespace relay::config
