// YAML text to a tree of values. The only place that knows yaml-cpp.
//
// Accepts what a configuration needs: maps, lists and scalars, block or flow, one document.
// Anchors, aliases and tags are refused, so the size of the tree is bounded by the size of the
// text.
#pragma once

#include "config/load.hpp"
#include "config/value.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

inline constexpr std::size_t kMaxTextBytes = 1u << 20;
inline constexpr int kMaxDepth = 32;
inline constexpr int kMaxValues = 20'000;

struct ParsedYaml {
  Value root;  // kNull for an empty text
  std::vector<Problem> problems;
};

// `source` names the text in problems. A duplicate key is a problem and its first value stays;
// after a syntax error the root holds nothing.
ParsedYaml parse_yaml(std::string_view text, const std::string& source);

}  // namespace relay::config
