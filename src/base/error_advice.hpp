// What usually causes an error of a type and what usually helps: for errors whose place knew
// nothing better, so that none reaches a person or a model without both. Pure.
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace relay {

struct Advice {
  std::string_view cause;
  std::string_view action;
};

// Never empty.
Advice usual_advice(ErrorType type);

}  // namespace relay
