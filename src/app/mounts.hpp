// What the configuration mounts for agents, with links resolved: names alone don't tell where they
// lead. Reads the file system, once, at start.
#pragma once

#include "base/error.hpp"
#include "config/config.hpp"

#include <optional>
#include <string>

namespace relay::app {

// Why a mount of config.container gives the host or the relay away; empty: none does, or
// container.allow_unsafe accepts it. `engine_socket` is the Engine's in use; empty: it has none.
std::optional<Error> dangerous_mount(const config::Config& config,
                                     const std::string& engine_socket);

}  // namespace relay::app
