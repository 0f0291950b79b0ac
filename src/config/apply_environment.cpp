#include "config/agent_keys.hpp"
#include "config/apply.hpp"
#include "config/suggest.hpp"
#include "config/utf8.hpp"
#include "config/yaml_text.hpp"

#include <algorithm>
#include <array>

namespace relay::config {
namespace {

constexpr std::string_view kPrefix = "ACP_RELAY_";
// Read by the command-line client, not part of the configuration.
constexpr std::array<std::string_view, 3> kReserved{"ACP_RELAY_TOKEN", "ACP_RELAY_URL",
                                                    "ACP_RELAY_MANAGEMENT_URL"};

const Key* find_by_variable(std::string_view variable) {
  for (const Key& key : all_keys()) {
    for (const std::string& path : spellings(key)) {
      if (variable_of(path) == variable) return &key;
    }
  }
  return nullptr;
}

void warn_about_unknown(const std::string& variable, Loading& loading) {
  std::vector<std::string> known;
  bool names_a_section = false;
  for (const Key& key : all_keys()) {
    known.push_back(variable_of(key.path));
    const auto dot = key.path.find('.');
    if (dot != std::string::npos)
      names_a_section =
          names_a_section || variable.starts_with(variable_of(key.path.substr(0, dot)) + "_");
  }
  const auto meant = nearest(variable, known);
  // Other programs may use the prefix for their own purposes; only what looks like a key is ours.
  if (!names_a_section && !meant) return;
  loading.warnings.push_back({kEnvironmentSource, 0, 0, variable,
                              "names no key of the configuration",
                              meant ? "did you mean " + *meant + "?" : "remove it"});
}

// Variables of further agents are theirs to look for.
bool is_of_agents(const std::string& variable) {
  const std::string agents = variable_of(std::string(kAgents));
  return variable == agents || variable.starts_with(agents + "_");
}

}  // namespace

std::string variable_of(const std::string& path) {
  std::string name(kPrefix);
  for (const char c : path) {
    if (c == '.' || c == '-')
      name += '_';
    else
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  return name;
}

bool is_plain(const Value& written) {
  return written.kind != Value::Kind::kList && written.kind != Value::Kind::kMap;
}

std::optional<Value> value_of_variable(const std::string& variable, const std::string& text,
                                       bool plain, Loading& loading) {
  const auto complain = [&](std::string message, std::string remedy) {
    loading.problems.push_back(
        {kEnvironmentSource, 0, 0, variable, std::move(message), std::move(remedy)});
  };
  if (find_bad_character(text)) {
    complain("a control character or a byte that is not UTF-8", "set it to plain text");
    return std::nullopt;
  }
  if (plain) return Value::quoted(text);
  ParsedYaml parsed = parse_yaml(text, kEnvironmentSource);
  for (const Problem& problem : parsed.problems) complain(problem.message, problem.remedy);
  if (!parsed.problems.empty()) return std::nullopt;
  return std::move(parsed.root);
}

void apply_environment(const Environment& environment, Loading& loading) {
  std::map<const Key*, std::string> seen;
  for (auto entry = environment.lower_bound(kPrefix);
       entry != environment.end() && entry->first.starts_with(kPrefix); ++entry) {
    const std::string& variable = entry->first;
    if (std::find(kReserved.begin(), kReserved.end(), variable) != kReserved.end()) continue;
    if (is_of_agents(variable)) continue;
    const Key* key = find_by_variable(variable);
    if (key == nullptr) {
      warn_about_unknown(variable, loading);
      continue;
    }
    const auto [first, is_first] = seen.emplace(key, variable);
    if (is_first) {
      // What the key prints as tells whether it is a single value.
      const bool plain = is_plain(key->write(Config{}));
      const auto value = value_of_variable(variable, entry->second, plain, loading);
      if (value) apply_key(*key, *value, kEnvironmentSource, variable, loading);
    } else {
      loading.problems.push_back({kEnvironmentSource, 0, 0, variable,
                                  "the same key as " + first->second + ", which is set too",
                                  "unset one of the two"});
    }
  }
}

}  // namespace relay::config
