#include "config/expand.hpp"

#include <algorithm>

namespace relay::config {
namespace {

constexpr std::size_t kMostVariables = 1000;

bool is_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

// Adds what ${body} stands for; false when it is malformed.
bool expand_one(std::string_view body, const Lookup& lookup, Expansion& out) {
  const auto separator = body.find(":-");
  const std::string_view name = body.substr(0, separator);
  const bool has_default = separator != std::string_view::npos;
  const std::string_view fallback = has_default ? body.substr(separator + 2) : std::string_view{};
  if (!is_name(name) || fallback.find("${") != std::string_view::npos) return false;

  const auto found = lookup(name);
  if (found && !found->empty()) {
    out.text += *found;
    out.expanded.emplace_back(name, *found);
  } else if (has_default) {
    out.text += fallback;
  } else if (std::find(out.empty.begin(), out.empty.end(), name) == out.empty.end()) {
    out.empty.emplace_back(name);
    if (!found) out.unset.emplace_back(name);
  }
  return true;
}

}  // namespace

Expansion expand(std::string_view text, const Lookup& lookup) {
  Expansion out;
  std::size_t variables = 0;
  while (!text.empty()) {
    const auto at = text.find("${");
    if (at == std::string_view::npos) break;
    if (at > 0 && text[at - 1] == '$') {
      out.text += text.substr(0, at - 1);
      out.text += "${";
      text.remove_prefix(at + 2);
      continue;
    }
    if (++variables > kMostVariables) {
      out.error = "more than 1000 variables in one value";
      return out;
    }
    out.text += text.substr(0, at);
    const auto end = text.find('}', at);
    if (end == std::string_view::npos) {
      out.error = "${ without }";
      return out;
    }
    if (!expand_one(text.substr(at + 2, end - at - 2), lookup, out)) {
      out.error = "only ${NAME} and ${NAME:-default} are understood";
      return out;
    }
    text.remove_prefix(end + 1);
  }
  out.text += text;
  return out;
}

void expand_all(Value& value, const std::string& path, const Lookup& lookup,
                const ExpansionReport& report) {
  if (value.kind == Value::Kind::kScalar) {
    Expansion expansion = expand(value.text, lookup);
    if (!expansion.error.empty()) {
      report.malformed(path, value.mark, expansion.error);
      return;
    }
    for (const std::string& variable : expansion.unset) report.missed(path, value.mark, variable);
    value.text = std::move(expansion.text);
    value.expanded = std::move(expansion.expanded);
    value.empty_variables = std::move(expansion.empty);
    return;
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    expand_all(value.items[i], path + "[" + std::to_string(i) + "]", lookup, report);
  }
  for (Value::Field& field : value.fields) {
    const std::string below = path.empty() ? field.name : path + "." + field.name;
    expand_all(field.value, below, lookup, report);
  }
}

}  // namespace relay::config
