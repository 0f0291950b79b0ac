// What ACP clients are refused with. Pure.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <string_view>

namespace relay::frontend {

// Of what a client says of itself, and of its login: a connection keeps them.
constexpr std::size_t kMostOfClient = 64u << 10;

Error initialized_already();
Error not_initialized(std::string_view method);
Error no_session_named(std::string_view method);
// Over kMostOfClient.
Error too_large(std::string_view what);
Error too_many_streams(std::size_t limit);
// Of sessions that the connection does not use.
Error too_many_unknown_streams(std::size_t limit);
Error too_many_connections(std::size_t limit);
Error id_is_in_use(std::string_view id);

}  // namespace relay::frontend
