// container.workspace_base_dir: whether the directories of sessions can be made there, and what is
// wrong with it. All that looks at it waits for the disk, for as long as that takes.
#pragma once

#include "backend/docker/container_options.hpp"
#include "base/error.hpp"
#include "base/result.hpp"

#include <functional>
#include <string>

namespace relay {

// workspace_unavailable: `what` failed at `path`, with that errno.
Error workspace_unavailable(const std::string& what, const std::string& path, int failure);

// Makes the base directory when it is missing, and checks that sessions can be made in it, and that
// nobody but the relay's user and root can replace what is in it.
Result<void> open_workspaces(const ContainerOptions& options);

// 0, or an errno that says why nothing can be made in `base`: ENOSPC when the disk is full.
std::function<int()> usable(std::string base);

// For errors that have another cause.
Error name_base_dir(Error error);

}  // namespace relay
