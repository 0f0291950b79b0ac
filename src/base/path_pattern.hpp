// Patterns of paths, as rules that allow requests have them. Pure.
#pragma once

#include <string_view>

namespace relay {

// Whether a decoded path is what the pattern says: "*" stands for any characters of one segment,
// "**" as the last segment for any further ones, none included ("/v1/**" has "/v1").
bool path_matches(std::string_view pattern, std::string_view path);

// What is wrong with a pattern, empty when nothing is.
std::string_view path_pattern_problem(std::string_view pattern);

}  // namespace relay
