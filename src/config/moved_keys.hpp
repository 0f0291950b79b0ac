// Keys of earlier acp-relay servers that are written in another way now. Pure.
#pragma once

#include <string_view>

namespace relay::config {

// What to write instead of the key or section at `path`; empty: it was never one.
std::string_view moved_to(std::string_view path);

}  // namespace relay::config
