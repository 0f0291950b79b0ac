// The request target as path and query, decoded.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::http {

struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>>
      query;  // in order; a name without `=` has no value
};

// Takes the origin form (/path?query), the absolute form and `*`. Fails on a broken %-escape and on
// %00.
Result<Target> parse_target(std::string_view target);

}  // namespace relay::http
