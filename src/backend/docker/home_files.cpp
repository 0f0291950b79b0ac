#include "backend/docker/home_files.hpp"

#include "engine/tar.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

namespace relay {
namespace {

using engine::TarEntry;

std::string clean_path(std::string_view path) {
  std::string clean = std::filesystem::path(path).lexically_normal().string();
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  return clean;
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// Mounts within the home, seen from there.
std::vector<std::string> mounts_in_home(const ContainerOptions& options,
                                        const ContainerPlan& plan) {
  const std::string above = home_in_container(plan.user) + "/";
  std::vector<std::string> targets{plan.working_directory.host_mount};
  for (const ExtraVolume& volume : options.extra_volumes) targets.push_back(volume.target);
  std::vector<std::string> inside;
  for (const std::string& target : targets) {
    const std::string clean = clean_path(target);
    if (clean.starts_with(above)) inside.push_back(clean.substr(above.size()));
  }
  return inside;
}

bool leads_out(std::string_view path) {
  return path.empty() || path.starts_with('/') || is_at_or_below(path, "..");
}

}  // namespace

Result<std::string> files_for_home(std::string_view image_home, const ContainerOptions& options,
                                   const ContainerPlan& plan) {
  const std::vector<std::string> mounts = mounts_in_home(options, plan);
  const auto is_mounted = [&mounts](std::string_view path) {
    return std::ranges::any_of(
        mounts, [path](const std::string& mount) { return is_at_or_below(path, mount); });
  };
  const auto is_above_one = [&mounts](std::string_view path) {
    return std::ranges::any_of(
        mounts, [path](const std::string& mount) { return is_at_or_below(mount, path); });
  };
  std::vector<TarEntry> files;
  engine::TarReader reader(image_home);
  while (auto entry = reader.next()) {
    entry->path = clean_path(entry->path);
    const bool is_directory = entry->kind == TarEntry::Kind::kDirectory;
    if (entry->kind == TarEntry::Kind::kOther || entry->path == "." || leads_out(entry->path)) {
      continue;
    }
    if (is_mounted(entry->path) || (!is_directory && is_above_one(entry->path))) continue;
    if (entry->kind == TarEntry::Kind::kHardLink) {
      entry->target = clean_path(entry->target);
      if (leads_out(entry->target) || is_mounted(entry->target)) continue;
    }
    files.push_back(std::move(*entry));
  }
  if (reader.is_damaged()) {
    return make_error(ErrorType::kInternalError, "the Engine's archive of the home in the image " +
                                                     options.image + " can't be read")
        .suggest("set container.home: image, which needs none")
        .with("key", "container.home");
  }
  if (files.empty()) return std::string();
  return engine::archive_of(files, {plan.user.uid, plan.user.gid});
}

}  // namespace relay
