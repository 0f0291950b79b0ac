// For tests: problems as people read them.
#pragma once

#include "config/load.hpp"

#include <string>
#include <vector>

namespace relay::config::testing {

inline std::vector<std::string> described(const std::vector<Problem>& problems) {
  std::vector<std::string> texts;
  for (const Problem& problem : problems) texts.push_back(describe(problem));
  return texts;
}

}  // namespace relay::config::testing
