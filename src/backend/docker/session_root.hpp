// The directory of one session above what its agent may write to: made whole, looked at, removed.
//
// <container.workspace_base_dir>/<session id>/ has a marker file that names the relay's instance;
// without it, it is nobody's. Before it has its name, and again when it goes, it has one that is
// known as the instance's all the same (a half). Everything here waits for the disk, for as long as
// that takes, and touches nothing but its arguments: for another thread. Errors are
// workspace_unavailable.
#pragma once

#include "backend/docker/workspace.hpp"
#include "base/result.hpp"

#include <string>

namespace relay {

// With its files, which a power cut leaves neither empty nor away once the directory has its name.
Result<void> make_half_root(const SessionDirectories& half, const std::string& instance,
                            const std::string& hosts);

// Whether it has the marker of `instance`. Fails where that can't be read: nothing is known then of
// whose the directory is.
Result<bool> is_of_instance(const SessionDirectories& directories, const std::string& instance);

struct SessionRoot {
  bool is_there = false;
  bool is_of_instance = false;
  bool is_own_within = false;  // what its agent may write to belongs to the relay's user
};

Result<SessionRoot> look_at_root(const SessionDirectories& directories,
                                 const std::string& instance);

// Whether it belongs to the relay's user. What is not there is nobody else's.
bool is_own_file(const std::string& path);

// With its files; its agent's directories are gone already. 0 or an errno.
int remove_root(const SessionDirectories& directories, const SessionDirectories& half);
int remove_half_root(const SessionDirectories& half);

}  // namespace relay
