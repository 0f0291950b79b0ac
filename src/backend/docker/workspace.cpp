#include "backend/docker/workspace.hpp"

#include <filesystem>

namespace relay {
namespace {

namespace fs = std::filesystem;

// A longer wish, or a longer name in it, is no directory that could be made.
constexpr std::size_t kMaxSubdirectory = 1024;
constexpr std::size_t kMaxName = 255;

bool can_be_made(std::string_view subdirectory) {
  if (subdirectory.size() > kMaxSubdirectory) return false;
  while (true) {
    const auto end = subdirectory.find('/');
    if (subdirectory.substr(0, end).size() > kMaxName) return false;
    if (end == std::string_view::npos) return true;
    subdirectory.remove_prefix(end + 1);
  }
}

bool lies_in(const std::string& directory, const std::string& path) {
  return directory == "/" || path == directory || path.starts_with(directory + "/");
}

std::string normal(std::string_view path) {
  std::string text = fs::path(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace

SessionDirectories session_directories(const std::string& base, const SessionId& session) {
  const std::string root = base + "/" + session.value();
  return {root,
          root + "/workspace",
          root + "/home",
          root + "/hosts",
          root + "/.acp-relay",
          root + "/egress",
          root + "/egress/door"};
}

WorkingDirectory choose_directory(std::string_view wanted,
                                  const std::vector<std::string>& mount_roots) {
  WorkingDirectory chosen{std::string(kWorkspace), {}, {}};
  if (!wanted.starts_with('/') || wanted.find('\0') != std::string_view::npos) return chosen;
  const std::string path = normal(wanted);
  if (lies_in(chosen.inside, path)) {
    if (path == kWorkspace) return chosen;
    const std::string below = path.substr(kWorkspace.size() + 1);
    if (!can_be_made(below)) return chosen;
    chosen.inside = path;
    chosen.subdirectory = below;
    return chosen;
  }
  std::error_code failure;
  const fs::path resolved = fs::canonical(path, failure);
  if (failure || !fs::is_directory(resolved, failure)) return chosen;
  for (const std::string& root : mount_roots) {
    const fs::path resolved_root = fs::canonical(root, failure);
    if (failure || !lies_in(resolved_root.string(), resolved.string())) continue;
    chosen.inside = resolved.string();
    chosen.host_mount = resolved.string();
    return chosen;
  }
  return chosen;
}

std::string hosts_file(std::string_view host_name) {
  return "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" +
         std::string(host_name) + "\n";
}

}  // namespace relay
