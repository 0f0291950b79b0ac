// Reads times as base/time.hpp writes them.
#pragma once

#include "base/time.hpp"

#include <optional>
#include <string_view>

namespace relay {

// RFC 3339 in UTC: 2026-01-31T08:15:30Z, with up to nine digits of a second behind a point, of
// which three count.
std::optional<WallTime> read_rfc3339(std::string_view text);

}  // namespace relay
