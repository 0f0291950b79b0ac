// Names that a configuration gives to what it describes: agents, upstreams. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace relay::config {

inline constexpr std::size_t kMaxEntryName = 64;
inline constexpr const char* kEntryNameRemedy =
    "use small letters, digits, - and _, a letter or digit first, at most 64 of them";

bool is_entry_name(std::string_view name);

}  // namespace relay::config
