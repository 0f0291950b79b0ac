// The directories of one session on the host, and which of them the agent works in.
//
// Pure but for choose_directory, which follows symbolic links of the host.
#pragma once

#include "base/strong_id.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

inline constexpr std::string_view kWorkspace = "/workspace";  // as the agent sees it

struct SessionDirectories {
  std::string root;       // <container.workspace_base_dir>/<session id>
  std::string workspace;  // mounted at /workspace
  std::string home;       // mounted over the user's home
  std::string hosts;      // a file, mounted at /etc/hosts when there is no network
  std::string marker;     // a file that names the relay which made all this
  std::string egress;     // the relay's own, for what is mounted from it: see way_out.hpp
  std::string door;       // below it
};

SessionDirectories session_directories(const std::string& base, const SessionId& session);

struct WorkingDirectory {
  std::string inside;        // where the agent works, as it sees it
  std::string subdirectory;  // below the workspace, to be made; empty: the workspace itself
  std::string host_mount;    // a directory of the host to mount at the same path; empty: none
};

// Where the agent works when a client asks for `wanted` (absolute; empty: no wish): inside
// /workspace as asked (1024 bytes at most), at or below one of `mount_roots` the directory of the
// host, else /workspace.
WorkingDirectory choose_directory(std::string_view wanted,
                                  const std::vector<std::string>& mount_roots);

// /etc/hosts of a container without a network.
std::string hosts_file(std::string_view host_name);

}  // namespace relay
