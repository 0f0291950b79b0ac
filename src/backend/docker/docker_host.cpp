#include "backend/docker/docker_host.hpp"

#include "backend/docker/container_spec.hpp"
#include "engine/address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace relay {
namespace {

std::size_t starts_at_once(const ContainerOptions& options) {
  if (options.max_concurrent_starts > 0) return options.max_concurrent_starts;
  return 2 * std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

engine::EngineOptions with_observer(engine::CallObserver observe) {
  engine::EngineOptions options;
  options.observe = std::move(observe);
  return options;
}

}  // namespace

std::string engine_description(const engine::EngineVersion& version, const std::string& address) {
  return fmt::format("{} {} (API {}) at {}", version.podman ? "Podman" : "Docker", version.version,
                     version.api.to_string(), address);
}

Task<Result<std::unique_ptr<DockerHost>>> DockerHost::open(asio::any_io_executor executor,
                                                           const ContainerOptions& options,
                                                           std::string instance, Logger logger,
                                                           engine::CallObserver observe) {
  auto endpoint = engine::engine_address(engine::address_sources(options.docker_host));
  if (!endpoint) co_return endpoint.error();
  auto host = std::make_unique<DockerHost>(std::move(executor), std::move(*endpoint),
                                           std::move(instance), relay::starts_at_once(options),
                                           std::move(logger), std::move(observe));
  const auto connected = co_await host->connect();
  if (!connected) {
    co_await host->shut_down();
    co_return connected.error();
  }
  EngineEvents& events = host->events;
  host->following_.spawn("engine events", [&events] { return events.follow(); });
  co_return std::move(host);
}

DockerHost::DockerHost(asio::any_io_executor executor_of_all, http::Endpoint endpoint,
                       std::string instance_id, std::size_t starts_at_once, Logger logger,
                       engine::CallObserver observe)
    : executor(executor_of_all),
      instance(std::move(instance_id)),
      log(std::move(logger)),
      engine(executor_of_all, std::move(endpoint), with_observer(std::move(observe))),
      maker(executor, engine, instance, log),
      events(engine, instance, log),
      starts(executor_of_all, starts_at_once),
      following_(std::move(executor_of_all), [this](const std::string& task, std::exception_ptr) {
        log.error("a task of the container backend failed", {{"task", task}});
      }) {}

Task<Result<void>> DockerHost::connect() {
  const auto version = co_await engine.connect();
  if (!version) co_return version.error();
  podman_ = version->podman;
  description_ = engine_description(*version, engine.address());
  auto found = co_await engine.info();
  if (!found) co_return found.error();
  info_ = std::move(*found);
  co_return Result<void>();
}

Task<Result<Leftovers>> DockerHost::find_leftovers(const ContainerOptions& options,
                                                   Workspaces& workspaces, KeepOfSession keep) {
  Leftovers left;
  if (std::exchange(looked_for_leftovers_, true)) co_return left;
  const std::vector<std::string> labels{std::string(kInstanceLabel) + "=" + instance};
  const auto containers = co_await engine.list(labels);
  if (!containers) co_return containers.error();
  for (const engine::ContainerSummary& container : *containers) {
    const bool runs = container.state == "running" || container.state == "paused";
    const std::string session = container.label(kSessionLabel);
    const bool is_helper = session.empty();
    if (!options.auto_remove && !runs && !is_helper) continue;
    Keep kept = Keep::kNothing;
    if (!is_helper) kept = co_await keep(SessionId(session));
    if (kept == Keep::kAgent) continue;
    Leftovers::Container& found = left.containers.emplace_back();
    found.id = container.id;
    found.name = container.name;
    if (!is_helper) found.session = SessionId(session);
  }
  if (!options.auto_remove) co_return left;
  workspaces.remove_unfinished();
  for (const SessionId& session : workspaces.all()) {
    const Keep kept = co_await keep(session);
    if (kept == Keep::kUnknown) workspaces.let_go(session);
    if (kept != Keep::kNothing) continue;
    workspaces.give_up(session);
    left.directories.push_back(session);
  }
  co_return left;
}

void DockerHost::warn_once(const std::string& warning) {
  if (warned_.insert(warning).second) log.warn(warning, {{"engine", engine.address()}});
}

Task<void> DockerHost::shut_down() {
  following_.cancel();
  co_await following_.join();
  co_await maker.shut_down();
}

}  // namespace relay
