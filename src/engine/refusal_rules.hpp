// What the Engine refuses to create or start, traced to the configuration key at fault. Pure.
#pragma once

#include "base/error.hpp"

#include <span>
#include <string_view>

namespace relay::engine {

// The first rule both of whose parts are in the message (whatever their case) tells.
struct RefusalRule {
  std::string_view part;
  std::string_view other_part;  // may be empty
  std::string_view key;         // may be empty: no key is at fault
  std::string_view cause;
  std::string_view remedy;
};

std::span<const RefusalRule> refusal_rules();

// nullptr: no rule knows it.
const RefusalRule* find_refusal_rule(std::string_view message);

// container_start_failed with the Engine's message in the explanation and in state
// `engine_message`, the HTTP status in `engine_status` and the key in `key`. `what` is what was
// asked: "create the container".
Error refused(std::string_view what, int status, std::string_view message);

}  // namespace relay::engine
