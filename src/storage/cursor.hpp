// The cursor of a list of sessions: opaque to clients, the number of the last session shown to us.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::storage {

std::string encode_cursor(std::int64_t session_number);

// Empty for anything that encode_cursor() does not make.
std::optional<std::int64_t> decode_cursor(std::string_view cursor);

}  // namespace relay::storage
