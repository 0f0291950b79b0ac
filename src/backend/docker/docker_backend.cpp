#include "backend/docker/docker_backend.hpp"

#include "backend/docker/engine_abilities.hpp"
#include "backend/docker/pending_start.hpp"
#include "backend/docker/security_profile.hpp"
#include "backend/docker/way_out.hpp"
#include "base/as_result.hpp"

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
  const bool was_cancelled = is_cancelled(state);
  if (!checked || was_cancelled) co_await backend->shut_down();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (was_cancelled) throw_cancelled();
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
  const auto image = co_await context_.engine.inspect_image(context_.options->image, kTimeToAnswer);
  if (!image) co_return image.error();
  co_return std::nullopt;
}

Task<Result<std::unique_ptr<Agent>>> DockerBackend::launch(LaunchSpec spec) {
  const bool is_first = !context_.is_present(spec.session);
  if (is_first) context_.arrive(spec.session);
  const auto start =
      std::make_shared<PendingStart>(context_.executor, std::move(spec), context_.options);
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
Task<void> DockerBackend::run_out_of_time(std::shared_ptr<PendingStart> start) {
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
Task<void> DockerBackend::run_next_start(std::shared_ptr<PendingStart> start) {
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

Task<void> DockerBackend::run_start(std::shared_ptr<PendingStart> start) {
  const SessionId& session = start->spec.session;
  try {
    auto starting = as_result(start_container(start));
    start->result = co_await std::move(starting);
    if (!*start->result) undo(*start);
  } catch (...) {  // the relay ends: what is cut off here is found by its next start
    start->result = nobody_waits();
    context_.depart(session);
  }
  if (start->abandoned && *start->result) {
    const std::unique_ptr<Agent> nobody_s = std::move(**start->result);  // ends it
  }
  start->done.happen();
}

void DockerBackend::undo(const PendingStart& start) {
  if (start.has_made) {
    context_.discard(start.spec.session);
  } else {
    context_.depart(start.spec.session);
  }
}

// Ends that are under way get a moment: what is cut off here is found by the next start.
Task<void> DockerBackend::shut_down() {
  auto ends = context_.background.join();
  // Before these are cancelled: what they would begin then, nobody would cancel any more.
  const auto wait_and_leave = [this]() -> Task<void> {
    const bool slept = co_await sleep_for(kShutDownLimit);
    if (slept) context_.leave_the_rest();
  };
  auto clock = wait_and_leave();
  co_await (std::move(ends) || std::move(clock));
  retrying_.cancel();
  co_await retrying_.join();
}

}  // namespace relay
