// seccomp profiles from files: the Engine wants their content, not their names.
#pragma once

#include "backend/docker/container_options.hpp"
#include "base/error.hpp"

#include <optional>

namespace relay {

// Puts the content of the file in place of every `seccomp=/path`. An error names
// container.security_opt: the file can't be read, is no JSON object, or has over 1 MiB.
std::optional<Error> read_security_profiles(ContainerOptions& options);

}  // namespace relay
