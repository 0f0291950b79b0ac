// How the container of a session comes to run: its directories, its way out, its streams.
#include "backend/docker/docker_agent.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/exit_cause.hpp"
#include "backend/docker/home_files.hpp"
#include "backend/docker/pending_start.hpp"
#include "backend/docker/stdio_carrier.hpp"
#include "base/time.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace relay {

using namespace boost::asio::experimental::awaitable_operators;

Task<Result<std::unique_ptr<Agent>>> DockerBackend::start_container(
    std::shared_ptr<PendingStart> start) {
  const SessionId session = start->spec.session;
  // No agent works in what is removed in part: what could not be removed goes now, or it says why.
  if (context_.workspaces.is_going(session)) {
    const auto removed = co_await context_.workspaces.remove(session);
    if (!removed) co_return removed.error();
  }
  start->has_begun = true;
  auto planned = co_await plan(start->spec, start->options);
  if (!planned) co_return planned.error();
  auto first = co_await wait_for_place(start);
  std::optional<StartLimiter::Slot> place(std::move(first));
  if (start->abandoned) co_return nobody_waits();
  const auto has_worked = co_await context_.workspaces.has(session);
  if (start->abandoned) co_return nobody_waits();
  if (!has_worked) co_return has_worked.error();
  const WorkingDirectory where = planned->working_directory;
  if (!*has_worked) {
    const auto made = co_await make_directories(start->spec, planned->user, where);
    if (!made) co_return made.error();
  }
  start->has_made = true;
  if (start->spec.copy_of) {  // which may take long: others start meanwhile
    place.reset();
    start->is_held_up = true;
    const auto copied = co_await copy_directories(start);
    if (!copied) co_return copied.error();
    auto another = co_await wait_for_place(start);
    place.emplace(std::move(another));
    if (start->abandoned) co_return nobody_waits();
  }
  // What an agent has made of it stays.
  if (*has_worked || start->spec.copy_of) planned->image_home = nullptr;
  if (*has_worked) {
    // The container of the agent before may have been kept; it has the name. Create says so if it
    // stays.
    [[maybe_unused]] const auto removed = co_await context_.engine.remove(container_name(session));
  }
  const auto opened =
      co_await context_.open_way_out(session, start->options, start->options->egress.carrier);
  if (!opened) co_return opened.error();
  auto container = co_await create_and_start(start->options, *planned);
  if (!container) co_return container.error();
  std::unique_ptr<Agent> agent =
      std::make_unique<DockerAgent>(std::move(*container), where.inside, start->began);
  co_return std::move(agent);
}

Task<StartLimiter::Slot> DockerBackend::wait_for_place(std::shared_ptr<PendingStart> start) {
  start->is_held_up = true;
  auto place = co_await context_.host.starts.take();
  start->is_held_up = false;
  start->began = std::chrono::steady_clock::now();
  co_return std::move(place);
}

Task<Result<void>> DockerBackend::copy_directories(std::shared_ptr<PendingStart> start) {
  const StartLimiter::Slot slot = co_await copying_.take();
  if (start->abandoned) co_return nobody_waits();
  const auto copied = co_await context_.workspaces.copy(*start->spec.copy_of, start->spec.session);
  if (copied && start->abandoned) co_return nobody_waits();
  co_return copied;
}

// An agent that goes on with a session works where the one before it did: it needs no others.
Task<Result<void>> DockerBackend::make_directories(LaunchSpec spec, ContainerUser user,
                                                   WorkingDirectory where) {
  if (spec.needs_directories) {
    co_return make_error(ErrorType::kSessionClosed,
                         "the session's directories are not there any more")
        .suggest("make another session with session/new")
        .with("session_id", spec.session.value());
  }
  const SessionId session = spec.session;
  auto made = co_await context_.workspaces.make(session, std::move(user), std::move(where));
  if (!made && context_.workspaces.is_going(session)) remove_later(session);
  co_return made;
}

Task<Result<ContainerPlan>> DockerBackend::plan(LaunchSpec spec, SharedContainerOptions options) {
  auto image = co_await find_image(options, false);
  if (!image) co_return image.error();
  ContainerPlan plan;
  plan.program = options->command;
  if (plan.program.empty()) {
    plan.program = image->entrypoint;
    plan.program.insert(plan.program.end(), image->command.begin(), image->command.end());
  }
  if (plan.program.empty() && !options->egress.reach.empty()) {
    co_return make_error(ErrorType::kContainerStartFailed,
                         "the image " + options->image + " says no program to run")
        .suggest("set container.command")
        .with("image", options->image);
  }
  auto inside = co_await look_inside(options, std::move(*image));
  if (!inside) co_return inside.error();
  plan.instance = context_.host.instance;
  plan.tmpfs_has_owner = !context_.host.is_podman();
  plan.created = to_rfc3339(wall_now());
  plan.user = std::move(inside->user);
  plan.image_home = std::move(inside->home);
  plan.directories = session_directories(options->workspace_base_dir, spec.session);
  // A client names the directory; it may lie where no server answers.
  const std::function<Result<WorkingDirectory>()> choose = [wanted = spec.working_directory,
                                                            roots = options->mount_roots] {
    return Result<WorkingDirectory>(choose_directory(wanted, roots));
  };
  auto chosen = co_await context_.calls.run(spec.working_directory, choose);
  if (!chosen) co_return chosen.error();
  plan.working_directory = std::move(*chosen);
  plan.launch = std::move(spec);
  co_return plan;
}

// Attach before start, or the first line is lost; the wait call before start, or a short life is
// missed.
Task<Result<std::shared_ptr<AttachedContainer>>> DockerBackend::create_and_start(
    SharedContainerOptions options, const ContainerPlan& plan) {
  engine::EngineClient& engine = context_.engine;
  const SessionId& session = plan.launch.session;
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto id = co_await context_.host.maker.create(container_name(session),
                                                      container_spec(*options, plan), plan.created);
  if (!id) co_return start_failed(*options, id.error(), std::nullopt);
  const auto filled = co_await fill_home(options, *id, plan);
  if (!filled) co_return start_failed(*options, filled.error(), std::nullopt);
  const auto created = Clock::now();
  auto attaching = attach_streams(context_, *id);
  auto watching = engine.watch_exit(*id);
  // A tag may have got another image since it was looked at.
  auto asking = engine.inspect(*id);
  auto [streams, watch, made] =
      co_await (std::move(attaching) && std::move(watching) && std::move(asking));
  if (!streams) co_return streams.error();
  if (!watch) co_return watch.error();
  auto container = std::make_shared<AttachedContainer>(context_, options, session, *id,
                                                       std::move(*streams), std::move(*watch));
  container->image.name = options->image;
  if (made && *made) container->image.id = (*made)->image_id;
  watch_events(container);
  const auto attached = Clock::now();
  const auto started = co_await engine.start(*id);
  if (!started) {
    context_.events.forget(*id);
    const auto facts = co_await engine.inspect(*id);
    std::optional<engine::ContainerState> state;
    if (facts && *facts) state = (*facts)->state;
    co_return start_failed(*options, started.error(), state);
  }
  container->launch_times = {created - began, attached - created, Clock::now() - attached};
  read_from(container);
  if (!options->egress.reach.empty()) container->carried_by = options->egress.carrier;
  if (container->carried_by == EgressCarrier::kStdio) {
    const auto carried = co_await begin_to_carry(container);
    if (!carried) co_return carried.error();
  }
  co_return container;
}

// An agent that has ended already says why better than what is not possible any more.
Task<Result<void>> DockerBackend::begin_to_carry(std::shared_ptr<AttachedContainer> container) {
  const std::size_t most = container->options->egress.max_connections;
  auto carrier = co_await StdioCarrier::start(context_, container->id, container->session, most);
  if (!carrier) {
    const auto facts = co_await context_.engine.inspect(container->id);
    const bool has_ended = facts && (!*facts || !(*facts)->state.running);
    if (has_ended) co_return Result<void>();
    container->let_go(AttachedContainer::Stage::kEnds);
    co_return carrier.error();
  }
  container->carrier = std::move(*carrier);
  carry(container);
  co_return Result<void>();
}

void DockerBackend::carry(const std::shared_ptr<AttachedContainer>& container) {
  context_.background.spawn("way out", [container] { return keep_carrying(container); });
}

// By the Engine, which has the mount of a container that does not run yet as well: what an image
// brings is never unpacked on the host, and the relay needs no rights on the home.
Task<Result<void>> DockerBackend::fill_home(SharedContainerOptions options, std::string container,
                                            const ContainerPlan& plan) {
  if (!plan.image_home || !keeps_home(*options, plan)) co_return Result<void>();
  auto files = files_for_home(*plan.image_home, *options, plan);
  if (!files) co_return files.error();
  if (files->empty()) co_return Result<void>();
  auto put = co_await context_.engine.put_archive(std::move(container),
                                                  home_in_container(plan.user), std::move(*files));
  if (put || put.error().type != ErrorType::kContainerStartFailed) co_return put;
  Error error = put.error();
  error.possible_causes.emplace_back("a new home gets what the image has there, which failed");
  error.suggested_actions.emplace_back(
      "set container.home to image, or to tmpfs, which begins empty");
  co_return error;
}

void DockerBackend::watch_events(const std::shared_ptr<AttachedContainer>& container) {
  context_.events.watch(container->id, [this, weak = std::weak_ptr(container)](const auto& event) {
    const auto alive = weak.lock();
    if (!alive || event.action != "oom") return;
    const auto before = std::exchange(alive->oom, AttachedContainer::Oom::kIsBeingTold);
    if (before == AttachedContainer::Oom::kIsBeingTold) return;
    context_.background.spawn("tell of oom", [alive] { return tell_of_oom(alive); });
  });
}

void DockerBackend::read_from(const std::shared_ptr<AttachedContainer>& container) {
  context_.background.spawn("container output", [container] { return pump_output(container); });
  context_.background.spawn("container exit", [container] { return watch_exit(container); });
}

}  // namespace relay
