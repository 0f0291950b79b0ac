#include "backend/process/environment.hpp"

#include <algorithm>

namespace relay {

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

bool agents_inherit(std::string_view name) {
  return name == "PATH" || name == "HOME" || name == "TERM" || name == "LANG" ||
         name.starts_with("LC_");
}

void set(EnvironmentList& list, const std::string& name, const std::string& value) {
  const auto same = std::ranges::find(list, name, [](const auto& entry) { return entry.first; });
  if (same != list.end()) {
    same->second = value;
  } else {
    list.emplace_back(name, value);
  }
}

}  // namespace

EnvironmentList inherited_environment(const char* const* entries) {
  EnvironmentList list;
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    const std::string_view entry = *entries;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || !agents_inherit(entry.substr(0, equals))) continue;
    set(list, std::string(entry.substr(0, equals)), std::string(entry.substr(equals + 1)));
  }
  if (value_of(list, "PATH").empty()) set(list, "PATH", std::string(kDefaultPath));
  return list;
}

EnvironmentList merge_environments(const EnvironmentList& inherited,
                                   const EnvironmentList& configured,
                                   const EnvironmentList& requested) {
  EnvironmentList merged = inherited;
  for (const auto& [name, value] : configured) set(merged, name, value);
  for (const auto& [name, value] : requested) set(merged, name, value);
  return merged;
}

std::string_view value_of(const EnvironmentList& environment, std::string_view name) {
  for (const auto& [candidate, value] : environment) {
    if (candidate == name) return value;
  }
  return {};
}

}  // namespace relay
