// What is looked at before the first session of an agent: the abilities of the Engine, the image,
// the workspaces, and what an earlier run left.
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/engine_abilities.hpp"

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

Task<Result<void>> DockerBackend::check(KeepOfSession keep) {
  if (auto failure = exposed_engine(context_.options, context_.engine.socket_path())) {
    co_return *failure;
  }
  DockerHost& host = context_.host;
  if (auto failure = missing_ability(context_.options, host.info())) co_return *failure;
  for (const std::string& warning : ignored_limits(context_.options, host.info())) {
    host.warn_once(warning);
  }
  auto checked = context_.workspaces.open();
  if (!checked) co_return checked;
  checked = co_await host.remove_leftovers(context_.options, context_.workspaces, std::move(keep));
  if (!checked) co_return checked;
  const auto image = co_await find_image(true);
  if (!image) co_return image.error();
  const auto user = co_await find_user(*image);
  if (!user) co_return user.error();
  context_.log.info("containers are used", {{"engine", host.description()},
                                            {"image", context_.options.image},
                                            {"image_id", image->id},
                                            {"uid", user->uid}});
  co_return Result<void>();
}

}  // namespace relay
