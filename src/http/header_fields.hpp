// Rules for header names and values: case, token lists, characters.
#pragma once

#include "http/message.hpp"

#include <string_view>

namespace relay::http {

// ASCII only.
bool equals_ignoring_case(std::string_view left, std::string_view right);

// True when one of the headers called `name` has `token` in its comma-separated list, in any case.
bool has_token(const Headers& headers, std::string_view name, std::string_view token);

// A character that may stand in a method or a header's name (RFC 9110, tchar).
bool is_token_character(char c);

// True when the value cannot break out of its line.
bool is_safe_value(std::string_view value);

std::string_view trimmed(std::string_view text);

}  // namespace relay::http
