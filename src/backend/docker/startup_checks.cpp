// What is looked at before the first session of an agent: the image, the workspaces, and what an
// earlier run left; and of other options again before they are taken.
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/engine_abilities.hpp"

namespace relay {

Task<Result<void>> DockerBackend::check(KeepOfSession keep) {
  DockerHost& host = context_.host;
  const auto opened = context_.workspaces.open();
  if (!opened) co_return opened.error();
  const auto left =
      co_await host.remove_leftovers(*context_.options, context_.workspaces, std::move(keep));
  if (!left) co_return left.error();
  for (const SessionId& session : *left) remove_later(session);
  const auto inside = co_await check_image(context_.options, true);
  if (!inside) co_return inside.error();
  context_.log.info("containers are used", {{"engine", host.description()},
                                            {"image", context_.options->image},
                                            {"image_id", inside->id},
                                            {"uid", inside->user.uid}});
  co_return Result<void>();
}

Task<Result<DockerBackend::ImageInside>> DockerBackend::check_image(SharedContainerOptions options,
                                                                    bool is_new) {
  auto image = co_await find_image(options, is_new);
  if (!image) co_return image.error();
  auto inside = co_await look_inside(options, std::move(*image));
  if (!inside) co_return inside.error();
  if (auto failure = mounted_over_home(*options, inside->user)) co_return *failure;
  if (auto failure = root_with_upstreams(*options, inside->user)) co_return *failure;
  if (const auto warning = root_on_host_files(*options, inside->user.uid)) {
    context_.host.warn_once(*warning);
  }
  co_return inside;
}

}  // namespace relay
