// The grammar of JSON's scalars (RFC 8259 sections 3, 6, 7), over single tokens.
#pragma once

#include <string>
#include <string_view>

namespace relay {

bool is_json_number(std::string_view token);
bool is_json_literal(std::string_view token);  // true, false, null

// Every backslash in `text` begins a valid escape. (Backslashes outside strings are no tokens at
// all.)
bool escapes_are_valid(std::string_view text);

// Whether `text` between two quotes is a string of JSON. That it is UTF-8 is not looked at.
bool is_string_content(std::string_view text);

// Replaces every escape of one half of a surrogate pair that stands without the other (RFC 8259
// section 8.2: such text is "unpredictable" to others) by \ufffd, which is as long.
void mend_surrogates(std::string& text);

}  // namespace relay
