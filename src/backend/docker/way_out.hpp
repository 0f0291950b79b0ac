// How an agent without a network reaches the broker: a directory of the session that has the
// broker's socket and acp-agent-init, mounted read-only into its container. Nobody else on the host
// gets to the socket, for the directory above it is the relay's alone.
#pragma once

#include "backend/docker/container_options.hpp"
#include "backend/docker/workspace.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay {

inline constexpr std::string_view kWayOut = "/acp-relay";  // as the agent sees it

// Where the broker listens for the session.
std::string way_out_socket(const SessionDirectories& directories);

// Makes the directory, if it is not there, with the init program in it. The session's directories
// are there. Errors: workspace_unavailable.
Result<void> make_way_out(const SessionDirectories& directories, const ContainerEgress& egress);
bool has_way_out(const SessionDirectories& directories);
// 0 or an errno.
int remove_way_out(const SessionDirectories& directories);

// The arguments of acp-agent-init that starts `program`.
std::vector<std::string> init_arguments(const ContainerEgress& egress,
                                        const std::vector<std::string>& program);

}  // namespace relay
