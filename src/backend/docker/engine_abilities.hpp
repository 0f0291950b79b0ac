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
std::vector<std::string> unsupported_limits(const ContainerOptions& options,
                                            const engine::EngineInfo& info);

// The same of an Engine's host with fewer CPUs than configured.
std::optional<std::string> fewer_cpus(const ContainerOptions& options,
                                      const engine::EngineInfo& info);

// All of them, and what is more than its host has.
std::vector<std::string> ignored_limits(const ContainerOptions& options,
                                        const engine::EngineInfo& info);

// Lowers what the Engine would refuse for being more than its host has: the CPUs.
void fit_to_host(ContainerOptions& options, const engine::EngineInfo& info);

// An agent that is root (uid 0) and may write where the host's users look: what to be warned of;
// empty: nothing.
std::optional<std::string> root_on_host_files(const ContainerOptions& options, std::uint32_t uid);

// Something without which no session can start: a runtime that the Engine does not have.
std::optional<Error> missing_ability(const ContainerOptions& options,
                                     const engine::EngineInfo& info);

}  // namespace relay
