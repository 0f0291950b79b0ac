// The relay's own request ids, as others give them back. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace relay {

// The number that a JSON text stands for: libraries with one type for numbers turn 3 into 3.0,
// typed wrappers into "3". Empty when it is no whole number that doubles hold exactly.
std::optional<std::int64_t> own_id(std::string_view json);

}  // namespace relay
