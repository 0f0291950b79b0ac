// The directory of workspaces as the preflight uses it: made when it is missing, and removed again
// with those above it that were made for it.
#pragma once

#include "backend/docker/container_options.hpp"
#include "cli/preflight/place_rules.hpp"

#include <string>
#include <vector>

namespace relay::cli::preflight {

class WorkspaceBase {
 public:
  explicit WorkspaceBase(const std::string& path);
  WorkspaceBase(const WorkspaceBase&) = delete;
  WorkspaceBase& operator=(const WorkspaceBase&) = delete;
  // Removes what was not there before, as far as it is empty.
  ~WorkspaceBase();

 private:
  std::vector<std::string> missing_;  // from the innermost
};

// Makes the directory, as a relay would. May block: not for the loop.
WorkspaceFacts workspace_facts(const ContainerOptions& options);

}  // namespace relay::cli::preflight
