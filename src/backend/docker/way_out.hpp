// How an agent without a network reaches the broker: a directory of the session that has
// acp-agent-init and, unless the Engine makes that impossible, the broker's socket, mounted
// read-only into its container. Nobody else on the host gets to the socket, for the directory above
// it is the relay's alone.
#pragma once

#include "backend/docker/container_options.hpp"
#include "backend/docker/workspace.hpp"
#include "base/result.hpp"
#include "engine/values.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay {

inline constexpr std::string_view kWayOut = "/acp-relay";  // as the agent sees it

// Where the broker listens for the session.
std::string way_out_socket(const SessionDirectories& directories);

// Makes the directory, if it is not there, with the init program in it; where that can't be copied,
// one that is there stays. The session's directories are there. Errors: workspace_unavailable.
Result<void> make_way_out(const SessionDirectories& directories, const ContainerEgress& egress);
bool has_way_out(const SessionDirectories& directories);
// 0 or an errno.
int remove_way_out(const SessionDirectories& directories);

// How the connections of agents are carried where the configuration leaves that to the relay. A
// socket is of one kernel and its file systems, so it does not reach containers that have a kernel
// of their own, or one of another machine; and SELinux lets none of them connect to it.
// `own_kernel` is what uname -r says here; `by_socket`: the Engine is reached by a Unix socket.
EgressCarrier carrier_for(const ContainerOptions& options, const engine::EngineInfo& info,
                          std::string_view own_kernel, bool by_socket);

// The arguments of acp-agent-init that starts `program`.
std::vector<std::string> init_arguments(const ContainerEgress& egress,
                                        const std::vector<std::string>& program);

// The command that carries the connections of a container, for EgressCarrier::kStdio.
std::vector<std::string> carrier_command(std::size_t max_connections);

}  // namespace relay
