#include "config/apply.hpp"
#include "config/keys.hpp"
#include "config/suggest.hpp"
#include "config/utf8.hpp"
#include "config/yaml_text.hpp"

#include <algorithm>
#include <array>

namespace relay::config {
namespace {

constexpr std::string_view kPrefix = "ACP_RELAY_";
constexpr const char* kSource = "environment";
// Read by the command-line client, not part of the configuration.
constexpr std::array<std::string_view, 2> kReserved{"ACP_RELAY_TOKEN", "ACP_RELAY_URL"};

std::string variable_of(const std::string& path) {
  std::string name(kPrefix);
  for (const char c : path) {
    if (c == '.')
      name += '_';
    else
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  return name;
}

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
  loading.warnings.push_back({kSource, 0, 0, variable, "names no key of the configuration",
                              meant ? "did you mean " + *meant + "?" : "remove it"});
}

bool is_plain(const Value& written) {
  return written.kind != Value::Kind::kList && written.kind != Value::Kind::kMap;
}

void apply_variable(const Key& key, const std::string& variable, const std::string& text,
                    Loading& loading) {
  const auto complain = [&](std::string message, std::string remedy) {
    loading.problems.push_back({kSource, 0, 0, variable, std::move(message), std::move(remedy)});
  };
  if (find_bad_character(text)) {
    complain("a control character or a byte that is not UTF-8", "set it to plain text");
    return;
  }
  Value value;
  // What the key prints as tells whether it is a single value; that one is taken as it is.
  if (is_plain(key.write(Config{}))) {
    value = Value::quoted(text);
  } else {
    ParsedYaml parsed = parse_yaml(text, kSource);
    for (const Problem& problem : parsed.problems) complain(problem.message, problem.remedy);
    if (!parsed.problems.empty()) return;
    value = std::move(parsed.root);
  }
  const std::size_t before = loading.problems.size();
  apply_key(key, value, kSource, variable, loading);
  for (std::size_t i = before; i < loading.problems.size(); ++i) {
    loading.problems[i].line = 0;
    loading.problems[i].column = 0;
  }
}

}  // namespace

void apply_environment(const Environment& environment, Loading& loading) {
  std::map<const Key*, std::string> seen;
  for (auto entry = environment.lower_bound(kPrefix);
       entry != environment.end() && entry->first.starts_with(kPrefix); ++entry) {
    const std::string& variable = entry->first;
    if (std::find(kReserved.begin(), kReserved.end(), variable) != kReserved.end()) continue;
    const Key* key = find_by_variable(variable);
    if (key == nullptr) {
      warn_about_unknown(variable, loading);
      continue;
    }
    const auto [first, is_first] = seen.emplace(key, variable);
    if (is_first) {
      apply_variable(*key, variable, entry->second, loading);
    } else {
      loading.problems.push_back({kSource, 0, 0, variable,
                                  "the same key as " + first->second + ", which is set too",
                                  "unset one of the two"});
    }
  }
}

}  // namespace relay::config
