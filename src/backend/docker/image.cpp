// The image of agents: finding it, pulling it, and who runs in it.
#include "backend/docker/container_spec.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/pull_progress.hpp"
#include "base/random_id.hpp"

#include <functional>
#include <utility>

namespace relay {
namespace {

constexpr std::size_t kMaxAccountFile = 1u << 20;

// Calls at the end of a scope, also when that is left by a cancellation.
class Finally {
 public:
  explicit Finally(std::function<void()> call) : call_(std::move(call)) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { call_(); }

 private:
  std::function<void()> call_;
};

}  // namespace

Task<Result<engine::ImageFacts>> DockerBackend::find_image(bool at_start) {
  const ContainerOptions& options = context_.options;
  if (at_start && options.pull_policy == ImagePull::kAlways) {
    const auto pulled = co_await pull();
    if (!pulled) co_return pulled.error();
  }
  auto found = co_await context_.engine.inspect_image(options.image);
  const bool missing = !found && found.error().type == ErrorType::kImageNotFound;
  if (!missing || options.pull_policy == ImagePull::kNever) co_return found;
  const auto pulled = co_await pull();
  if (!pulled) co_return pulled.error();
  found = co_await context_.engine.inspect_image(options.image);
  co_return found;
}

// Sessions that need the same image wait for one pull.
Task<Result<void>> DockerBackend::pull() {
  const ContainerOptions& options = context_.options;
  if (pulling_) {
    const std::shared_ptr<Event> other = pulling_;
    co_await other->wait();
    co_return Result<void>();  // whether it worked shows when the image is looked for
  }
  pulling_ = std::make_shared<Event>(context_.executor);
  const Finally over([this] { std::exchange(pulling_, nullptr)->happen(); });
  context_.log.info("pulling the image",
                    {{"image", options.image}, {"limit_s", options.pull_timeout.count() / 1000}});
  PullProgress progress;
  const auto show = [this, &progress](const engine::PullLine& line) {
    const auto text = progress.take(line, std::chrono::steady_clock::now());
    if (text) context_.log.info("pulling the image", {{"progress", *text}});
  };
  auto pulled = co_await context_.engine.pull(options.image, options.pull_timeout, show);
  if (pulled) context_.log.info("the image is here", {{"image", options.image}});
  co_return pulled;
}

// The Engine's own answer to "who is it": what stands in the image's files, read from a container
// that never starts.
Task<Result<ContainerUser>> DockerBackend::find_user(engine::ImageFacts image) {
  const StartLimiter::Slot turn = co_await probing_.take();
  const auto known = users_.find(image.id);
  if (known != users_.end()) co_return known->second;
  engine::EngineClient& engine = context_.engine;
  const std::string name = "acp-relay-probe-" + random_hex(8);
  const auto probe = co_await engine.create_container(
      name, probe_spec(context_.options.image, context_.host.instance));
  Result<std::optional<std::string>> passwd;
  Result<std::optional<std::string>> group;
  if (probe) {
    passwd = co_await engine.read_file(name, "/etc/passwd", kMaxAccountFile);
    group = co_await engine.read_file(name, "/etc/group", kMaxAccountFile);
  }
  // Also after a failure: the Engine may have made it and not have come to say so.
  const auto removed = co_await engine.remove(name);
  if (!removed) context_.log.warn("a probe container is left", {{"container", name}});
  if (!probe) co_return probe.error();
  if (!passwd) co_return passwd.error();
  if (!group) co_return group.error();
  ImageUsers users;
  users.passwd = passwd->value_or("");
  users.group = group->value_or("");
  users.environment = std::move(image.environment);
  const std::string& configured = context_.options.user;
  auto user = configured.empty() ? resolve_user(image.user, users, UserChoice::kImages)
                                 : resolve_user(configured, users, UserChoice::kConfigured);
  if (user) users_.emplace(image.id, *user);
  co_return user;
}

}  // namespace relay
