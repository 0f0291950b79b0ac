// "Did you mean": the name that is nearest to a mistyped one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

// The candidate with the fewest edits (a swap of neighbours is one), if they are few for the
// length.
std::optional<std::string> nearest(std::string_view name,
                                   const std::vector<std::string>& candidates);

}  // namespace relay::config
