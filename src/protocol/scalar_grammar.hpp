// The grammar of JSON's scalars (RFC 8259 sections 3, 6, 7), over single tokens.
#pragma once

#include <string_view>

namespace relay {

bool is_json_number(std::string_view token);
bool is_json_literal(std::string_view token);  // true, false, null

// Every backslash in `text` begins a valid escape. (Backslashes outside strings are no tokens at
// all.)
bool escapes_are_valid(std::string_view text);

}  // namespace relay
