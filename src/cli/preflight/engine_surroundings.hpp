// Looks at the machine around an Engine that can't be used. Calls may block: not for the loop.
#pragma once

#include "cli/preflight/engine_rules.hpp"

#include <string>

namespace relay::cli::preflight {

// `socket_path`: empty for an Engine that is reached over the network.
EngineSurroundings engine_surroundings(const std::string& socket_path);

// Of a user or a group; its number when it has none.
std::string user_name(unsigned uid);

}  // namespace relay::cli::preflight
