// What is looked at before the first session of an agent: the abilities of the Engine, the image,
// the workspaces, and what an earlier run left.
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/engine_abilities.hpp"

namespace relay {

Task<Result<void>> DockerBackend::check(KeepOfSession keep) {
  DockerHost& host = context_.host;
  if (auto failure = missing_ability(context_.options, host.info())) co_return *failure;
  auto checked = context_.workspaces.open();
  if (!checked) co_return checked;
  checked = co_await host.remove_leftovers(context_.options, context_.workspaces, std::move(keep));
  if (!checked) co_return checked;
  const auto image = co_await find_image(true);
  if (!image) co_return image.error();
  const auto inside = co_await look_inside(*image);
  if (!inside) co_return inside.error();
  const ContainerUser& user = inside->user;
  if (auto failure = mounted_over_home(context_.options, user)) co_return *failure;
  if (const auto warning = root_on_host_files(context_.options, user.uid)) {
    host.warn_once(*warning);
  }
  context_.log.info("containers are used", {{"engine", host.description()},
                                            {"image", context_.options.image},
                                            {"image_id", image->id},
                                            {"uid", user.uid}});
  co_return Result<void>();
}

}  // namespace relay
