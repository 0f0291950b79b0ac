#include "backend/docker/docker_backend.hpp"

#include "backend/docker/docker_agent.hpp"
#include "backend/docker/engine_abilities.hpp"
#include "backend/docker/exit_cause.hpp"
#include "backend/docker/home_files.hpp"
#include "backend/docker/security_profile.hpp"
#include "backend/docker/stdio_carrier.hpp"
#include "backend/docker/way_out.hpp"
#include "base/time.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include <functional>
#include <sys/utsname.h>
#include <utility>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

constexpr std::chrono::milliseconds kStepOfTime(100);

// For the Engine to say what it has.
constexpr std::chrono::seconds kTimeToAnswer(2);
constexpr std::chrono::seconds kShutDownLimit(5);
// How long a session that goes on waits for the container of its agent before to go.
constexpr std::chrono::seconds kPredecessorLimit(20);

// The disk does no more in the same time when it is asked for more.
constexpr std::size_t kCopiesAtOnce = 2;

Error nobody_waits() {
  return make_error(ErrorType::kSessionClosed, "nobody waits for the agent any more");
}

Error too_slow(const ContainerOptions& options) {
  return make_error(ErrorType::kContainerStartFailed,
                    "the Docker Engine has not started the container within " +
                        std::to_string(options.startup_timeout.count()) + " ms")
      .because("the Engine does not answer, or is busy; its disk may be slow")
      .suggest("docker ps; journalctl -u docker -n 50")
      .suggest("raise container.startup_timeout, or lower container.max_concurrent_starts")
      .with("limit_ms", options.startup_timeout.count())
      .retryable();
}

Error predecessor_is_left(const SessionId& session) {
  return make_error(ErrorType::kContainerStartFailed,
                    "the container of the session's agent before is still there")
      .because("the Docker Engine has not removed it yet")
      .suggest("try again in a moment")
      .suggest("docker rm -f " + container_name(session))
      .with("session_id", session.value())
      .retryable();
}

Error directories_are_going(const SessionId& session) {
  return make_error(ErrorType::kWorkspaceUnavailable,
                    "the directories that the session had are still being removed")
      .because("the session was closed before, and there is much in them, or their disk is slow")
      .suggest("try again in a moment")
      .with("session_id", session.value())
      .retryable();
}

std::string own_kernel() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

// Makes the options ones that this Engine can follow, and says where that is less than they say.
Result<void> fit(ContainerOptions& options, DockerHost& host) {
  if (auto failure = missing_ability(options, host.info())) return *failure;
  for (const std::string& warning : ignored_limits(options, host.info())) host.warn_once(warning);
  fit_to_host(options, host.info());
  if (options.egress.carrier == EgressCarrier::kAuto) {
    const bool by_socket = !host.engine.socket_path().empty();
    options.egress.carrier = carrier_for(options, host.info(), own_kernel(), by_socket);
  }
  return {};
}

}  // namespace

// What the one who launches and the start itself share: a start that nobody waits for any more
// still comes to its end, so that it can be undone.
struct DockerBackend::Start {
  Start(asio::any_io_executor executor, LaunchSpec to_do, SharedContainerOptions as_it_says)
      : spec(std::move(to_do)), options(std::move(as_it_says)), done(std::move(executor)) {}

  LaunchSpec spec;
  const SharedContainerOptions options;
  bool has_begun = false;   // nothing of the session's life before is in the way any more
  bool is_held_up = false;  // not by the Engine: it waits for a place, or copies directories
  bool late = false;        // its time has run out
  bool abandoned = false;
  std::optional<Result<std::unique_ptr<Agent>>> result;
  Event done;
};

Task<Result<std::unique_ptr<DockerBackend>>> DockerBackend::open(DockerHost& host,
                                                                 ContainerOptions options,
                                                                 KeepOfSession keep, Logger log) {
  if (auto failure = read_security_profiles(options)) co_return *failure;
  const auto fitted = fit(options, host);
  if (!fitted) co_return fitted.error();
  std::unique_ptr<DockerBackend> backend(
      new DockerBackend(host, std::move(options), std::move(log)));
  // A cancelled caller still gets removed what was made for it.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto checked = co_await backend->check(std::move(keep));
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool is_cancelled = state.cancelled() != asio::cancellation_type::none;
  if (!checked || is_cancelled) co_await backend->shut_down();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (is_cancelled) throw_cancelled();
  if (!checked) co_return checked.error();
  co_return std::move(backend);
}

DockerBackend::DockerBackend(DockerHost& host, ContainerOptions options, Logger log)
    : context_(host, std::move(options), std::move(log)),
      probing_(host.executor, 1),
      copying_(host.executor, kCopiesAtOnce),
      retrying_(host.executor, [this](const std::string& task, std::exception_ptr) {
        context_.log.error("a task of the container backend failed", {{"task", task}});
      }) {}

Task<Result<SharedContainerOptions>> DockerBackend::prepare(ContainerOptions options) {
  const std::function<Result<ContainerOptions>()> read_files =
      [options]() -> Result<ContainerOptions> {
    ContainerOptions read = options;
    if (auto failure = read_security_profiles(read)) return *failure;
    return read;
  };
  auto read = co_await context_.calls.run("container.security_opt", read_files);
  if (!read) co_return read.error();
  const auto fitted = fit(*read, context_.host);
  if (!fitted) co_return fitted.error();
  const bool is_new =
      read->image != context_.options->image || read->pull_policy != context_.options->pull_policy;
  SharedContainerOptions prepared = std::make_shared<const ContainerOptions>(std::move(*read));
  const auto inside = co_await check_image(prepared, is_new);
  if (!inside) co_return inside.error();
  co_return prepared;
}

std::optional<Error> DockerBackend::unavailable() const {
  if (auto failure = context_.events.failure()) return failure;
  return context_.workspaces.unusable();
}

Task<std::optional<Error>> DockerBackend::examine() {
  if (auto failure = unavailable()) co_return failure;
  auto asked = context_.engine.inspect_image(context_.options->image);
  auto clock = sleep_for(kTimeToAnswer);
  const auto first = co_await (std::move(asked) || std::move(clock));
  if (first.index() == 1) {
    co_return make_error(ErrorType::kDockerNotAvailable, "the Docker Engine does not answer")
        .suggest("see what keeps it busy: docker info, journalctl -u docker");
  }
  const auto& image = std::get<0>(first);
  if (!image) co_return image.error();
  co_return std::nullopt;
}

Task<Result<std::unique_ptr<Agent>>> DockerBackend::launch(LaunchSpec spec) {
  const bool is_first = !context_.is_present(spec.session);
  if (is_first) context_.arrive(spec.session);
  const auto start = std::make_shared<Start>(context_.executor, std::move(spec), context_.options);
  context_.background.spawn("start container", [this, start, is_first] {
    return is_first ? run_start(start) : run_next_start(start);
  });
  auto finished = start->done.wait();
  auto clock = run_out_of_time(start);
  co_await (std::move(finished) || std::move(clock));
  if (!start->done.happened()) {
    start->abandoned = true;
    if (!start->late) co_return nobody_waits();
    co_return start->has_begun ? too_slow(*start->options) : in_the_way(start->spec.session);
  }
  co_return std::move(*start->result);
}

// Its time runs while the Engine works for it, and not while an image is pulled, others start, or
// a fork's directories are copied.
Task<void> DockerBackend::run_out_of_time(std::shared_ptr<Start> start) {
  std::chrono::milliseconds left = start->options->startup_timeout;
  while (left.count() > 0) {
    const auto step = std::min(left, kStepOfTime);
    const bool slept = co_await sleep_for(step);
    if (!slept) co_return;
    if (!start->is_held_up && !pulling_.contains(start->options->image)) left -= step;
  }
  start->late = true;
}

// The container of the agent before has the name that this one is to have, and who removes
// directories would take away what this one works in.
Task<void> DockerBackend::run_next_start(std::shared_ptr<Start> start) {
  const SessionId& session = start->spec.session;
  const bool gone = co_await context_.departs_within(session, kPredecessorLimit);
  if (!gone || start->abandoned) {
    start->result = start->abandoned ? nobody_waits() : in_the_way(session);
    start->done.happen();
    co_return;
  }
  context_.arrive(session);
  co_await run_start(start);
}

Error DockerBackend::in_the_way(const SessionId& session) const {
  return context_.workspaces.is_going(session) ? directories_are_going(session)
                                               : predecessor_is_left(session);
}

Task<void> DockerBackend::run_start(std::shared_ptr<Start> start) {
  try {
    start->result = co_await start_container(start);
  } catch (...) {  // the relay ends: what is cut off here is found by its next start
    start->result = nobody_waits();
    context_.depart(start->spec.session);
  }
  if (start->abandoned && *start->result) {
    const std::unique_ptr<Agent> nobody_s = std::move(**start->result);  // ends it
  }
  start->done.happen();
}

Task<Result<std::unique_ptr<Agent>>> DockerBackend::start_container(std::shared_ptr<Start> start) {
  const SessionId session = start->spec.session;
  // No agent works in what is removed in part: what could not be removed goes now, or it says why.
  if (context_.workspaces.is_going(session)) {
    const auto removed = co_await context_.workspaces.remove(session);
    if (!removed) {
      context_.depart(session);
      co_return removed.error();
    }
  }
  start->has_begun = true;
  auto planned = co_await plan(start->spec, start->options);
  if (!planned) {
    context_.depart(session);
    co_return planned.error();
  }
  start->is_held_up = true;
  std::optional<StartLimiter::Slot> slot;
  auto first = co_await context_.host.starts.take();
  slot.emplace(std::move(first));
  start->is_held_up = false;
  auto began = std::chrono::steady_clock::now();
  if (start->abandoned) {
    context_.depart(session);
    co_return nobody_waits();
  }
  if (!context_.workspaces.answers()) {
    context_.depart(session);
    co_return does_not_answer(start->options->workspace_base_dir);
  }
  const WorkingDirectory where = planned->working_directory;
  const bool has_worked = context_.workspaces.has(session);
  const auto made = co_await make_directories(start->spec, planned->user, where);
  if (!made) {
    context_.depart(session);
    co_return made.error();
  }
  if (start->spec.copy_of) {  // which may take long: others start meanwhile
    start->is_held_up = true;
    slot.reset();
    const auto copied = co_await copy_directories(start);
    if (!copied) {
      context_.discard(session);
      co_return copied.error();
    }
    auto second = co_await context_.host.starts.take();
    slot.emplace(std::move(second));
    start->is_held_up = false;
    began = std::chrono::steady_clock::now();
  }
  // What an agent has made of it stays.
  if (has_worked || start->spec.copy_of) planned->image_home = nullptr;
  if (has_worked) {
    // The container of the agent before may have been kept; it has the name. Create says so if it
    // stays.
    [[maybe_unused]] const auto removed = co_await context_.engine.remove(container_name(session));
  }
  const auto opened =
      co_await context_.open_way_out(session, *start->options, start->options->egress.carrier);
  if (!opened) {
    context_.discard(session);
    co_return opened.error();
  }
  auto container = co_await create_and_start(start->options, *planned);
  if (!container) {
    context_.discard(session);
    co_return container.error();
  }
  std::unique_ptr<Agent> agent =
      std::make_unique<DockerAgent>(std::move(*container), where.inside, began);
  co_return std::move(agent);
}

Task<Result<void>> DockerBackend::copy_directories(std::shared_ptr<Start> start) {
  const StartLimiter::Slot slot = co_await copying_.take();
  if (start->abandoned) co_return nobody_waits();
  const auto copied = co_await context_.workspaces.copy(*start->spec.copy_of, start->spec.session);
  if (copied && start->abandoned) co_return nobody_waits();
  co_return copied;
}

// An agent that goes on with a session works where the one before it did.
Task<Result<void>> DockerBackend::make_directories(LaunchSpec spec, ContainerUser user,
                                                   WorkingDirectory where) {
  if (context_.workspaces.has(spec.session)) co_return Result<void>();
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
  const auto id =
      co_await engine.create_container(container_name(session), container_spec(*options, plan));
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
    container->let_go();
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
    alive->oom_event = true;
    if (std::exchange(alive->telling_of_oom, true)) return;
    context_.background.spawn("tell of oom", [alive] { return tell_of_oom(alive); });
  });
}

void DockerBackend::read_from(const std::shared_ptr<AttachedContainer>& container) {
  context_.background.spawn("container output", [container] { return pump_output(container); });
  context_.background.spawn("container exit", [container] { return watch_exit(container); });
}

// Ends that are under way get a moment: what is cut off here is found by the next start.
Task<void> DockerBackend::shut_down() {
  auto ends = context_.background.join();
  auto clock = sleep_for(kShutDownLimit);
  co_await (std::move(ends) || std::move(clock));
  retrying_.cancel();
  co_await retrying_.join();
}

}  // namespace relay
