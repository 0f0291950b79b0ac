#include "config/print.hpp"

#include "config/agent_keys.hpp"
#include "config/emit.hpp"
#include "config/secret_names.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace relay::config {
namespace {

constexpr const char* kRedacted = "***";

void hide_expanded(std::string& text, const Strings& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortestSecret) {
      if (text == secret) text = kRedacted;
      continue;
    }
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3))
      text.replace(at, secret.size(), kRedacted);
  }
}

// `inherited` is the secrecy of what it lies in.
void redact(Value& value, Secrecy inherited, const Strings& hidden) {
  const Secrecy secrecy = value.secrecy == Secrecy::kOpen ? inherited : value.secrecy;
  if (value.kind == Value::Kind::kScalar) {
    if (secrecy == Secrecy::kSecret) value.text = kRedacted;
    if (secrecy == Secrecy::kMayCarry) hide_expanded(value.text, hidden);
  }
  for (Value& item : value.items) redact(item, secrecy, hidden);
  for (Value::Field& field : value.fields) redact(field.value, secrecy, hidden);
}

Value redacted(Value value, Secrecy secrecy, const Strings& hidden) {
  redact(value, secrecy, hidden);
  return value;
}

// Longest first, so that a secret that contains another one is hidden whole.
Strings longest_first(Strings texts) {
  std::sort(texts.begin(), texts.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  return texts;
}

// Keys that have no effect on the agent are left out.
Value agent_value(const NamedAgentConfig& agent, const Strings& hidden) {
  Value map = Value::map();
  for (const AgentKey& key : agent_keys()) {
    if (key.only_for.value_or(agent.isolation) != agent.isolation) continue;
    map.fields.push_back({key.name, {}, redacted(key.write(agent), key.secrecy, hidden)});
  }
  return map;
}

// Sets fields of nested maps along a path: "server.tls.cert".
void put(Value& root, const std::string& path, Value value) {
  Value* at = &root;
  std::size_t start = 0;
  for (auto dot = path.find('.'); dot != std::string::npos; dot = path.find('.', start)) {
    const std::string name = path.substr(start, dot - start);
    const auto found = std::find_if(at->fields.begin(), at->fields.end(),
                                    [&](const Value::Field& field) { return field.name == name; });
    if (found == at->fields.end()) {
      at->fields.push_back({name, {}, Value::map()});
      at = &at->fields.back().value;
    } else {
      at = &found->value;
    }
    start = dot + 1;
  }
  at->fields.push_back({path.substr(start), {}, std::move(value)});
}

Value effective(const Config& config) {
  // Tokens and environments may be repeated in arguments, by hand or by the same variable.
  Strings hidden = secrets(config);
  hidden.insert(hidden.end(), config.expanded_secrets.begin(), config.expanded_secrets.end());
  hidden = longest_first(std::move(hidden));
  Value root = Value::map();
  for (const Key& key : all_keys()) {
    put(root, key.path, redacted(key.write(config), key.secrecy, hidden));
  }
  Value agents = Value::map();
  for (const NamedAgentConfig& agent : config.agents) {
    agents.fields.push_back({agent.name, {}, agent_value(agent, hidden)});
  }
  root.fields.push_back({std::string(kAgents), {}, std::move(agents)});
  return root;
}

}  // namespace

std::string to_yaml(const Config& config) {
  const std::string text = yaml_after_key(effective(config), 0);
  return text.substr(1);
}

std::string to_json(const Config& config) {
  return boost::json::serialize(to_json_value(effective(config)));
}

std::vector<std::string> secrets(const Config& config) {
  std::vector<std::string> found;
  const auto add = [&](const std::string& text, std::size_t shortest) {
    if (text.size() < shortest || text.empty()) return;
    if (std::find(found.begin(), found.end(), text) == found.end()) found.push_back(text);
  };
  for (const TokenConfig& token : config.auth.tokens) add(token.token, 1);
  for (const std::string& value : secret_values(config.agent)) add(value, kShortestSecret);
  for (const NamedAgentConfig& agent : config.agents) {
    for (const std::string& value : secret_values(agent.agent)) add(value, kShortestSecret);
  }
  for (const UpstreamConfig& upstream : config.egress.upstreams) {
    add(upstream.credential.value, kShortestSecret);
  }
  for (const std::string& value : config.expanded_secrets) add(value, kShortestSecret);
  return found;
}

}  // namespace relay::config
