// What is looked at before the first session: the Engine and its abilities, the image, the
// workspaces, and what an earlier run left.
#include "backend/docker/container_spec.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/engine_abilities.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace relay {
namespace {

std::string resolved(const std::string& path) {
  std::error_code failure;
  const std::string found = std::filesystem::canonical(path, failure).string();
  return failure ? path : found;
}

// Links resolved, which the configuration alone can't know: does a mount hand out the Engine?
std::optional<Error> exposed_engine(const ContainerOptions& options, const std::string& socket) {
  if (options.allow_unsafe || socket.empty()) return std::nullopt;
  const std::string engine = resolved(socket);
  const auto refuse = [&](const std::string& key,
                          const std::string& source) -> std::optional<Error> {
    const std::string path = resolved(source);
    if (path != "/" && engine != path && !engine.starts_with(path + "/")) return std::nullopt;
    return make_error(ErrorType::kContainerStartFailed,
                      key + ": " + source + " gives control over the host: it holds " + engine)
        .suggest("mount a directory without the Engine's socket")
        .suggest("set container.allow_unsafe: true if you accept that")
        .with("key", key);
  };
  for (const ExtraVolume& volume : options.extra_volumes) {
    if (!volume.source.starts_with('/')) continue;
    if (auto failure = refuse("container.extra_volumes", volume.source)) return failure;
  }
  for (const std::string& root : options.mount_roots) {
    if (auto failure = refuse("container.mount_roots", root)) return failure;
  }
  return std::nullopt;
}

}  // namespace

Task<Result<void>> DockerBackend::check(KeepDirectories keep) {
  if (auto failure = exposed_engine(context_.options, context_.engine.socket_path())) {
    co_return *failure;
  }
  auto checked = co_await check_engine();
  if (!checked) co_return checked;
  checked = context_.workspaces.open();
  if (!checked) co_return checked;
  checked = co_await remove_leftovers(std::move(keep));
  if (!checked) co_return checked;
  const auto image = co_await find_image(true);
  if (!image) co_return image.error();
  const auto user = co_await find_user(*image);
  if (!user) co_return user.error();
  context_.log.info("containers are used", {{"engine", engine_},
                                            {"image", context_.options.image},
                                            {"image_id", image->id},
                                            {"uid", user->uid}});
  co_return Result<void>();
}

Task<Result<void>> DockerBackend::check_engine() {
  const auto version = co_await context_.engine.connect();
  if (!version) co_return version.error();
  podman_ = version->podman;
  engine_ = fmt::format("{} {} (API {}) at {}", version->podman ? "Podman" : "Docker",
                        version->version, version->api.to_string(), context_.engine.address());
  const auto info = co_await context_.engine.info();
  if (!info) co_return info.error();
  if (auto failure = missing_ability(context_.options, *info)) co_return *failure;
  for (const std::string& warning : ignored_limits(context_.options, *info)) {
    context_.log.warn(warning, {{"engine", context_.engine.address()}});
  }
  co_return Result<void>();
}

// Containers and directories with this relay's instance that no session of it needs.
Task<Result<void>> DockerBackend::remove_leftovers(KeepDirectories keep) {
  const std::vector<std::string> labels{std::string(kInstanceLabel) + "=" + context_.instance};
  const auto containers = co_await context_.engine.list(labels);
  if (!containers) co_return containers.error();
  for (const engine::ContainerSummary& container : *containers) {
    const bool runs = container.state == "running" || container.state == "paused";
    const bool is_helper = container.label(kSessionLabel).empty();
    if (!context_.options.auto_remove && !runs && !is_helper) continue;
    const auto removed = co_await context_.engine.remove(container.id);
    context_.log.info(removed ? "removed a container of an earlier run"
                              : "a container of an earlier run can't be removed",
                      {{"container", container.name}});
  }
  if (!context_.options.auto_remove) co_return Result<void>();
  for (const SessionId& session : context_.workspaces.all()) {
    const bool kept = co_await keep(session);
    if (kept) continue;
    const auto removed = co_await context_.workspaces.remove(session);
    context_.log.info(removed ? "removed the directories of an earlier run"
                              : "directories of an earlier run can't be removed",
                      {{"session", session.value()}});
  }
  co_return Result<void>();
}

}  // namespace relay
