// Is a text printable UTF-8? The YAML parser would end quietly at some control characters, and what
// is printed as JSON must be UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace relay::config {

// Offset of the first control character (other than tab, LF, CR) or byte that is not UTF-8.
std::optional<std::size_t> find_bad_character(std::string_view text);

}  // namespace relay::config
