#include "config/agent_presets.hpp"

#include <algorithm>

namespace relay::config {
namespace {

constexpr std::string_view kKey = "<key>";
constexpr std::string_view kUpstreamKey = "{upstream_key}";

const StringMap& claude_env() {
  static const StringMap kEnv{{"ANTHROPIC_BASE_URL", "<url>"},
                              {"ANTHROPIC_API_KEY", "<key>"},
                              {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
                              {"DISABLE_AUTOUPDATER", "1"}};
  return kEnv;
}

// Codex knows no base URL but that of a provider; the adapter puts this into each session's
// settings.
const StringMap& codex_env() {
  static const StringMap kEnv{
      {"CODEX_CONFIG",
       R"({"model_provider":"acp_relay","model_providers":{"acp_relay":{"name":"acp-relay",)"
       R"("base_url":"<url/v1>","env_key":"OPENAI_API_KEY","wire_api":"responses"}}})"},
      {"OPENAI_API_KEY", "<key>"},
      {"NO_BROWSER", "1"}};
  return kEnv;
}

const StringMap& gemini_env() {
  static const StringMap kEnv{{"GOOGLE_GEMINI_BASE_URL", "<url>"}, {"GEMINI_API_KEY", "<key>"}};
  return kEnv;
}

// One provider and no other, so that its default model is one that can be reached.
StringMap opencode_env(const std::string& provider) {
  return {{"OPENCODE_CONFIG_CONTENT",
           R"({"enabled_providers":[")" + provider + R"("],"provider":{")" + provider +
               R"(":{"options":{"baseURL":"<url/v1>","apiKey":"<key>"}}},)" +
               R"("autoupdate":false,"share":"disabled"})"},
          {"OPENCODE_DISABLE_AUTOUPDATE", "1"},
          {"OPENCODE_DISABLE_MODELS_FETCH", "1"},
          {"OPENCODE_DISABLE_LSP_DOWNLOAD", "1"}};
}

// Qwen Code has no default model for a service that is not its own.
StringMap qwen_env(const std::string& model) {
  return {{"OPENAI_BASE_URL", "<url/v1>"}, {"OPENAI_API_KEY", "<key>"}, {"OPENAI_MODEL", model}};
}

std::vector<AgentPreset> make_agent_presets() {
  return {
      {"claude", {"claude-agent-acp"}, "acp-agent:latest", {{"anthropic", claude_env()}}},
      {"codex", {"codex-acp"}, "acp-agent-codex:latest", {{"openai", codex_env()}}},
      {"gemini", {"gemini", "--acp"}, "acp-agent-gemini:latest", {{"gemini", gemini_env()}}},
      {"opencode",
       {"opencode", "acp"},
       "acp-agent-opencode:latest",
       {{"anthropic", opencode_env("anthropic")}, {"openai", opencode_env("openai")}}},
      {"qwen",
       {"qwen", "--acp"},
       "acp-agent-qwen:latest",
       {{"openai", qwen_env("gpt-5")},
        {"openrouter", qwen_env("qwen/qwen3-coder")},
        {"ollama", qwen_env("qwen3-coder")}}},
  };
}

const AgentPresetWay* way_to(const AgentPreset& preset, const UpstreamConfig& upstream) {
  if (upstream.preset.empty()) return &preset.ways.front();
  const auto found = std::ranges::find(preset.ways, upstream.preset, &AgentPresetWay::upstream);
  return found != preset.ways.end() ? &*found : nullptr;
}

// Whether a URL ends in a segment like v1 or v1beta: then it is complete.
bool ends_in_version(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::string_view last = url.substr(url.rfind('/') + 1);
  return last.size() >= 2 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9' &&
         last.find('.') == std::string_view::npos;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

bool is_in(const StringMap& map, const std::string& name) {
  return std::ranges::find(map, name, &StringMap::value_type::first) != map.end();
}

struct AgentsWay {
  const AgentPresetWay* way = nullptr;
  const UpstreamConfig* upstream = nullptr;
};

AgentsWay way_of(const AgentConfig& agent, const std::vector<UpstreamConfig>& all) {
  const AgentPreset* const preset = find_agent_preset(agent.preset);
  if (preset == nullptr || agent.upstreams.empty()) return {};
  const UpstreamConfig* const upstream = model_upstream(*preset, agent.upstreams, all);
  if (upstream == nullptr) return {};
  return {way_to(*preset, *upstream), upstream};
}

}  // namespace

const std::vector<AgentPreset>& agent_presets() {
  static const std::vector<AgentPreset> kPresets = make_agent_presets();
  return kPresets;
}

const AgentPreset* find_agent_preset(std::string_view name) {
  const auto found = std::ranges::find(agent_presets(), name, &AgentPreset::name);
  return found != agent_presets().end() ? &*found : nullptr;
}

std::string agent_preset_names() {
  std::string names;
  for (const AgentPreset& preset : agent_presets())
    names += (names.empty() ? "" : ", ") + preset.name;
  return names;
}

std::string upstreams_of_preset(const AgentPreset& preset) {
  std::string names;
  for (const AgentPresetWay& way : preset.ways) names += (names.empty() ? "" : ", ") + way.upstream;
  return names;
}

const UpstreamConfig* model_upstream(const AgentPreset& preset, const Strings& of_agent,
                                     const std::vector<UpstreamConfig>& all) {
  for (const std::string& name : of_agent) {
    const auto found = std::ranges::find(all, name, &UpstreamConfig::name);
    if (found != all.end() && way_to(preset, *found) != nullptr) return &*found;
  }
  if (!of_agent.empty()) return nullptr;
  // One of no preset may be anything: it is for who names it.
  for (const AgentPresetWay& way : preset.ways) {
    const auto found = std::ranges::find(all, way.upstream, &UpstreamConfig::preset);
    if (found != all.end()) return &*found;
  }
  return nullptr;
}

StringMap environment_with_preset(const AgentConfig& agent,
                                  const std::vector<UpstreamConfig>& all) {
  StringMap env;
  if (const auto [way, upstream] = way_of(agent, all); way != nullptr) {
    const std::string url = "{upstream:" + upstream->name + "}";
    for (const auto& [name, text] : way->env) {
      if (is_in(agent.env, name)) continue;
      std::string value = text;
      replace_all(value, "<url/v1>", ends_in_version(upstream->url) ? url : url + "/v1");
      replace_all(value, "<url>", url);
      replace_all(value, kKey, kUpstreamKey);
      env.emplace_back(name, std::move(value));
    }
  }
  env.insert(env.end(), agent.env.begin(), agent.env.end());
  return env;
}

Strings keys_beside_preset(const AgentConfig& agent, const std::vector<UpstreamConfig>& all) {
  Strings names;
  const AgentPresetWay* const way = way_of(agent, all).way;
  if (way == nullptr) return names;
  for (const auto& [name, text] : way->env) {
    const auto own = std::ranges::find(agent.env, name, &StringMap::value_type::first);
    if (text != kKey || own == agent.env.end()) continue;
    if (own->second == kPlaceholderKey || own->second == kUpstreamKey) continue;
    const bool is_plain = std::ranges::find(agent.plain_env, name) != agent.plain_env.end();
    if (!is_plain) names.push_back(name);
  }
  return names;
}

}  // namespace relay::config
