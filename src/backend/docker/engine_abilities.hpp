// What the configuration asks of an Engine, beside what it can do. Pure.
#pragma once

#include "backend/docker/container_options.hpp"
#include "base/error.hpp"
#include "engine/values.hpp"

#include <optional>
#include <string>
#include <vector>

namespace relay {

// Limits that are configured and that this Engine would silently ignore: one sentence each, with
// the key.
std::vector<std::string> ignored_limits(const ContainerOptions& options,
                                        const engine::EngineInfo& info);

// Something without which no session can start: a runtime that the Engine does not have.
std::optional<Error> missing_ability(const ContainerOptions& options,
                                     const engine::EngineInfo& info);

}  // namespace relay
