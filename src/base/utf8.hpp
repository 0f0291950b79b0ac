// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relay {

// Length of the well-formed sequence at the start of `text`, 0 when there is none.
std::size_t utf8_length(std::string_view text);

// `text` with U+FFFD in place of every byte that is part of no well-formed sequence.
std::string as_utf8(std::string_view text);

}  // namespace relay
