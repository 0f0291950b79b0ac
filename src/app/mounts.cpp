#include "app/mounts.hpp"

#include "config/mount_danger.hpp"

#include <filesystem>

namespace relay::app {
namespace {

// Also where a link leads whose target is still to be made, as the relay's own directories may be.
std::string resolved_path(const std::string& path) {
  constexpr int kMaxLinks = 16;
  std::error_code failure;
  std::filesystem::path here = path;
  for (int links = 0; links < kMaxLinks; ++links) {
    here = std::filesystem::weakly_canonical(here, failure);
    if (failure) return path;
    const auto target = std::filesystem::read_symlink(here, failure);
    if (failure) break;
    here = here.parent_path() / target;
  }
  return here.string();
}

}  // namespace

std::optional<Error> dangerous_mount(const config::Config& config,
                                     const std::string& engine_socket) {
  if (config.container.allow_unsafe) return std::nullopt;
  std::vector<config::OwnPlace> own = config::own_places(config);
  if (!engine_socket.empty()) own.push_back({engine_socket, "the socket of the Engine"});
  for (config::OwnPlace& place : own) place.path = resolved_path(place.path);
  const auto refuse = [&](const std::string& key, const std::string& source,
                          config::Access access) -> std::optional<Error> {
    const std::string path = resolved_path(source);
    const std::string danger = config::danger_of(path, access, own);
    if (danger.empty()) return std::nullopt;
    return make_error(ErrorType::kContainerStartFailed,
                      key + ": " + source + (path == source ? "" : ", which leads to " + path) +
                          ": " + danger)
        .suggest("mount another directory")
        .suggest("set container.allow_unsafe: true if you accept that")
        .with("key", key);
  };
  for (const std::string& text : config.container.extra_volumes) {
    const auto volume = config::parse_volume(text);
    if (!volume || !volume->source.starts_with('/')) continue;
    const auto access = volume->read_only ? config::Access::kRead : config::Access::kWrite;
    if (auto failure = refuse("container.extra_volumes", volume->source, access)) return failure;
  }
  for (const std::string& root : config.container.mount_roots) {
    if (auto failure = refuse("container.mount_roots", root, config::Access::kWrite)) {
      return failure;
    }
  }
  return std::nullopt;
}

}  // namespace relay::app
