// Sizes that HTTP and WebSocket share.
#pragma once

#include <cstddef>

namespace relay::http {

// Copying less is cheaper than another part of a write.
constexpr std::size_t kCopyBelow = 16u << 10;

// Memory is taken at once for so much of what a peer announces; beyond it, as bytes come.
constexpr std::size_t kTrustedReserve = 1u << 20;

}  // namespace relay::http
