#include "cli/preflight/workspace_base.hpp"

#include "backend/docker/workspaces.hpp"
#include "cli/preflight/engine_surroundings.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace relay::cli::preflight {
namespace {

namespace fs = std::filesystem;

bool selinux_enforces() {
  std::ifstream file("/sys/fs/selinux/enforce");
  int enforces = 0;
  return file >> enforces && enforces == 1;
}

}  // namespace

WorkspaceBase::WorkspaceBase(const std::string& path) {
  std::error_code failure;
  fs::path here = fs::absolute(path, failure).lexically_normal();
  if (!here.has_filename()) here = here.parent_path();
  while (here.has_relative_path() && !fs::exists(fs::symlink_status(here, failure))) {
    missing_.push_back(here.string());
    here = here.parent_path();
  }
}

WorkspaceBase::~WorkspaceBase() {
  for (const std::string& path : missing_) {
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) break;
  }
}

WorkspaceFacts workspace_facts(const ContainerOptions& options) {
  WorkspaceFacts facts;
  facts.path = options.workspace_base_dir;
  facts.user = user_name(::geteuid());
  facts.selinux_enforces = selinux_enforces();
  facts.has_selinux_label = options.selinux_label != MountLabel::kNone;
  struct stat found {};
  facts.existed = ::stat(facts.path.c_str(), &found) == 0;
  if (facts.existed) facts.owner = user_name(found.st_uid);
  const auto opened = open_workspaces(options);
  if (!opened) facts.failure = opened.error();
  return facts;
}

}  // namespace relay::cli::preflight
