// The image of agents: finding it, pulling it, who runs in it, and what that user's home has.
#include "backend/docker/container_spec.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/home_files.hpp"
#include "backend/docker/pull_progress.hpp"
#include "base/finally.hpp"
#include "base/random_id.hpp"

#include <utility>

namespace relay {
namespace {

constexpr std::size_t kMaxAccountFile = 1u << 20;

}  // namespace

Task<Result<engine::ImageFacts>> DockerBackend::find_image(SharedContainerOptions options,
                                                           bool is_new) {
  if (is_new && options->pull_policy == ImagePull::kAlways) {
    const auto pulled = co_await pull(options);
    if (!pulled) co_return pulled.error();
  }
  auto found = co_await context_.engine.inspect_image(options->image);
  const bool missing = !found && found.error().type == ErrorType::kImageNotFound;
  if (!missing || options->pull_policy == ImagePull::kNever) co_return found;
  const auto pulled = co_await pull(options);
  if (!pulled) co_return pulled.error();
  found = co_await context_.engine.inspect_image(options->image);
  co_return found;
}

// Sessions that need the same image wait for one pull, and are told the same of it; who may wait
// longer than that one did pulls again.
Task<Result<void>> DockerBackend::pull(SharedContainerOptions options) {
  const std::string& image = options->image;
  while (const std::shared_ptr<Pull> other = pull_under_way(image)) {
    co_await other->over.wait();
    if (!other->over.happened()) throw_cancelled();
    const bool is_told = other->pulled && (*other->pulled || options->pull_timeout <= other->limit);
    if (is_told) co_return *other->pulled;
  }
  const auto own = std::make_shared<Pull>(context_.executor, options->pull_timeout);
  pulling_[image] = own;
  const Finally over([this, image, own] {
    pulling_.erase(image);
    own->over.happen();
  });
  context_.log.info("pulling the image",
                    {{"image", image}, {"limit_s", options->pull_timeout.count() / 1000}});
  PullProgress progress;
  const auto show = [this, &progress](const engine::PullLine& line) {
    const auto text = progress.take(line, std::chrono::steady_clock::now());
    if (text) context_.log.info("pulling the image", {{"progress", *text}});
  };
  const auto pulled = co_await context_.engine.pull(image, options->pull_timeout, show);
  if (pulled) context_.log.info("the image is here", {{"image", image}});
  own->pulled = pulled;
  co_return pulled;
}

std::shared_ptr<DockerBackend::Pull> DockerBackend::pull_under_way(const std::string& image) const {
  const auto found = pulling_.find(image);
  return found == pulling_.end() ? nullptr : found->second;
}

bool DockerBackend::is_known(const ContainerOptions& options,
                             const engine::ImageFacts& image) const {
  return inside_ && inside_->id == image.id && inside_->wanted_user == options.user;
}

// Goes on without a caller that is cancelled: what is made in the Engine is removed, also where the
// Engine has not said yet that it is there.
Task<Result<DockerBackend::ImageInside>> DockerBackend::look_inside(SharedContainerOptions options,
                                                                    engine::ImageFacts image) {
  if (is_known(*options, image)) co_return *inside_;
  struct Look {
    explicit Look(const asio::any_io_executor& executor) : over(executor) {}
    Event over;
    Result<ImageInside> inside =
        make_error(ErrorType::kInternalError, "the image was not looked into");
  };
  const auto look = std::make_shared<Look>(context_.executor);
  context_.background.spawn("look into an image", [this, options, image, look]() -> Task<void> {
    const Finally over([look] { look->over.happen(); });
    auto inside = co_await probe(options, image);
    look->inside = std::move(inside);
  });
  co_await look->over.wait();
  co_return look->inside;
}

// The Engine's own answer to "who is it": what stands in the image's files, read from a container
// that never starts.
Task<Result<DockerBackend::ImageInside>> DockerBackend::probe(SharedContainerOptions options,
                                                              engine::ImageFacts image) {
  const StartLimiter::Slot turn = co_await probing_.take();
  if (is_known(*options, image)) co_return *inside_;  // by now
  engine::EngineClient& engine = context_.engine;
  const std::string name = "acp-relay-probe-" + random_hex(8);
  const auto made = co_await context_.host.maker.create(
      name, probe_spec(options->image, context_.host.instance), "");
  Result<ImageInside> inside = ImageInside{};
  if (made) {
    inside = co_await read_inside(options, name, std::move(image));
  } else {
    inside = made.error();
  }
  // Also after a failure: the Engine may have made it and not have come to say so.
  const auto removed = co_await engine.remove(name);
  if (!removed) context_.log.warn("a probe container is left", {{"container", name}});
  if (inside) inside_ = *inside;
  co_return inside;
}

Task<Result<DockerBackend::ImageInside>> DockerBackend::read_inside(SharedContainerOptions options,
                                                                    std::string container,
                                                                    engine::ImageFacts image) {
  engine::EngineClient& engine = context_.engine;
  const auto passwd = co_await engine.read_file(container, "/etc/passwd", kMaxAccountFile);
  if (!passwd) co_return passwd.error();
  const auto group = co_await engine.read_file(container, "/etc/group", kMaxAccountFile);
  if (!group) co_return group.error();
  ImageUsers users;
  users.passwd = passwd->value_or("");
  users.group = group->value_or("");
  users.environment = std::move(image.environment);
  const std::string& configured = options->user;
  const auto user = configured.empty() ? resolve_user(image.user, users, UserChoice::kImages)
                                       : resolve_user(configured, users, UserChoice::kConfigured);
  if (!user) co_return user.error();
  auto home = co_await read_home(options, container, *user);
  if (!home) co_return home.error();
  ImageInside inside;
  inside.id = image.id;
  inside.wanted_user = configured;
  inside.user = *user;
  inside.home = std::move(*home);
  co_return inside;
}

Task<Result<std::shared_ptr<const std::string>>> DockerBackend::read_home(
    SharedContainerOptions options, std::string container, ContainerUser user) {
  std::shared_ptr<const std::string> nothing;
  if (options->home != ContainerHome::kKeep) co_return nothing;
  const std::string home = home_in_container(user);
  auto found = co_await context_.engine.read_archive(container, home + "/.", kMaxHomeFiles);
  if (!found) co_return found.error();
  if (!*found) co_return nothing;
  if ((*found)->is_cut) {
    context_.host.warn_once("the image " + options->image + " has more than " +
                            std::to_string(kMaxHomeFiles >> 20U) + " MiB in " + home +
                            ", and homes of sessions begin without any of it: set "
                            "container.home: image");
    co_return nothing;
  }
  co_return std::make_shared<const std::string>(std::move((*found)->bytes));
}

}  // namespace relay
