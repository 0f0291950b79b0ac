// ${VAR} and ${VAR:-default} in the strings of a configuration. Pure: variables come from a lookup.
//
// The default stands for an unset or empty variable. $${ is a literal ${, a lone $ stays. What a
// variable brought in is not looked at again. An unset variable without default is empty.
#pragma once

#include "config/value.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::config {

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

struct Expansion {
  std::string text;
  std::vector<std::string> unset;  // variables that were missed, each once
  std::vector<std::string> empty;  // these and those that are set to nothing, each once
  std::vector<std::pair<std::string, std::string>>
      expanded;       // (variable, value) from the environment
  std::string error;  // not empty: malformed; `text` is useless
};

Expansion expand(std::string_view text, const Lookup& lookup);

// Expands every scalar below `value` in place. Calls `missed(path, mark, variable)` and
// `malformed(path, mark, message)`; paths look like "auth.tokens[0].token".
struct ExpansionReport {
  std::function<void(const std::string& path, Mark mark, const std::string& variable)> missed;
  std::function<void(const std::string& path, Mark mark, const std::string& message)> malformed;
};
void expand_all(Value& value, const std::string& path, const Lookup& lookup,
                const ExpansionReport& report);

}  // namespace relay::config
