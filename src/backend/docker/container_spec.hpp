// The request that makes an agent's container, as the Engine API wants it. Pure.
#pragma once

#include "backend/docker/container_options.hpp"
#include "backend/docker/container_user.hpp"
#include "backend/docker/workspace.hpp"
#include "backend/launch_spec.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace relay {

inline constexpr std::string_view kRelayLabel = "acp.relay";
inline constexpr std::string_view kSessionLabel = "acp.session";
inline constexpr std::string_view kCreatedLabel = "acp.created";
inline constexpr std::string_view kInstanceLabel = "acp.relay.instance";
// "stdio" where that is how the agent's connections are carried.
inline constexpr std::string_view kCarrierLabel = "acp.relay.carrier";

// "acp-agent-<session id>".
std::string container_name(const SessionId& session);
// The same, cut to what a host name may have.
std::string container_host_name(const SessionId& session);

// What is decided for one session besides the options.
struct ContainerPlan {
  LaunchSpec launch;
  std::string instance;  // of this relay
  std::string created;   // RFC 3339
  ContainerUser user;
  SessionDirectories directories;
  WorkingDirectory working_directory;
  std::vector<std::string> program;  // that the container runs, of the options or the image
  // What the image has in the user's home, as the Engine's archive. Null: nothing.
  std::shared_ptr<const std::string> image_home;
  bool tmpfs_has_owner = true;  // Podman refuses the options uid and gid; U is its word for them
};

// The body of POST /containers/create. stdin stays open when the relay dies (StdinOnce: false), and
// the Engine never removes the container by itself, so that the cause of its end can be read.
std::string container_spec(const ContainerOptions& options, const ContainerPlan& plan);

// Where the home directory is mounted. A user whose home is "/" or lies in a directory of the
// system, such as /usr/sbin, gets /home/agent: a mount there would hide the image's programs.
std::string home_in_container(const ContainerUser& user);

// Whether a directory of the session's own is mounted there.
bool keeps_home(const ContainerOptions& options, const ContainerPlan& plan);

// A volume or a tmpfs of the configuration that takes the place of the user's home, which is
// mounted too: no session could start. Empty: there is none.
std::optional<Error> mounted_over_home(const ContainerOptions& options, const ContainerUser& user);

// An agent with upstreams that would be root because nobody said who else it should be. Empty: it
// is not.
std::optional<Error> root_with_upstreams(const ContainerOptions& options,
                                         const ContainerUser& user);

// A container of the image that never starts, for looking into its files.
std::string probe_spec(const std::string& image, const std::string& instance);

// What acp-workspace-helper does, in paths of the host: only these two lead it there.
struct HelperTask {
  std::vector<std::string> arguments;
  std::string directory;  // that it works on
  std::string source;     // that it only reads; empty: none
};

// A container of options.image that runs acp-workspace-helper as root on the task's directories and
// has nothing else.
inline constexpr std::string_view kHelperDirectory = "/session";
inline constexpr std::string_view kHelperSource = "/source";
inline constexpr std::string_view kHelperProgram = "/acp-workspace-helper";
std::string helper_spec(const ContainerOptions& options, const std::string& instance,
                        const HelperTask& task);

}  // namespace relay
