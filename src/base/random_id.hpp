// Unguessable ids from the kernel's random source.
#pragma once

#include <cstddef>
#include <string>

namespace relay {

// 2 * `bytes` lower-case hex digits. Throws std::system_error when the kernel gives no randomness.
std::string random_hex(std::size_t bytes);

// A UUID of version 4 (RFC 9562), 36 characters.
std::string random_uuid();

}  // namespace relay
