// Foreign texts: in a form that may stand in an error, and what is in them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relay::engine {

// At most `max_bytes` of it; every run of blanks and line ends is one blank, bytes that are no
// printable ASCII are '?'.
std::string printable(std::string_view text, std::size_t max_bytes);

// Whether `part` is in `text`, whatever the case of ASCII letters. An empty part always is.
bool contains_ignoring_case(std::string_view text, std::string_view part);

}  // namespace relay::engine
