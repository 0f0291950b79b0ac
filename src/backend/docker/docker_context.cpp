#include "backend/docker/docker_context.hpp"

#include "backend/docker/container_spec.hpp"
#include "backend/docker/way_out.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <cassert>

namespace relay {

DockerContext::DockerContext(DockerHost& shared_host, ContainerOptions container_options,
                             Logger logger)
    : host(shared_host),
      executor(host.executor),
      options(std::make_shared<const ContainerOptions>(std::move(container_options))),
      log(std::move(logger)),
      engine(host.engine),
      events(host.events),
      workspaces(executor, options, engine, host.maker, host.instance, host.going, log),
      calls(executor),
      background(executor, [this](const std::string& task, std::exception_ptr) {
        log.error("a task of the container backend failed", {{"task", task}});
      }) {}

void DockerContext::arrive(const SessionId& session) {
  const bool first = host.present.emplace(session, std::make_shared<Event>(executor)).second;
  assert(first && "the agent before it has not departed");
  static_cast<void>(first);
}

void DockerContext::depart(const SessionId& session) {
  const auto found = host.present.find(session);
  if (found == host.present.end()) return;
  const std::shared_ptr<Event> gone = found->second;
  host.present.erase(found);
  if (host.broker != nullptr) host.broker->close(session);
  gone->happen();
}

Task<Result<void>> DockerContext::open_way_out(SessionId session, SharedContainerOptions of_it,
                                               EgressCarrier carrier) {
  if (of_it->egress.reach.empty() || host.broker == nullptr) co_return Result<void>();
  const auto prepared = co_await prepare_way_out(session, of_it);
  if (!prepared) co_return prepared;
  co_return open_door(session, *of_it, carrier);
}

Task<Result<void>> DockerContext::prepare_way_out(SessionId session, SharedContainerOptions of_it) {
  const auto made = co_await workspaces.give_way_out(session, std::move(of_it));
  if (!made) co_return made;
  const auto recalled = co_await host.broker->recall(std::move(session));
  co_return recalled;
}

Result<void> DockerContext::open_door(const SessionId& session, const ContainerOptions& of_it,
                                      EgressCarrier carrier) const {
  const auto directories = session_directories(of_it.workspace_base_dir, session);
  if (carrier != EgressCarrier::kStdio) {
    return host.broker->open(session, way_out_socket(directories), of_it.egress.reach);
  }
  host.broker->open(session, of_it.egress.reach);
  return Result<void>();
}

Task<void> DockerContext::departed(SessionId session) {
  while (true) {
    const auto found = host.present.find(session);
    if (found == host.present.end()) co_return;
    const std::shared_ptr<Event> gone = found->second;
    co_await gone->wait();
    if (!gone->happened()) co_return;  // the one who waits is cancelled
  }
}

Task<bool> DockerContext::departs_within(SessionId session, std::chrono::milliseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (is_present(session)) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::seconds(0)) break;
    auto waiting = departed(session);
    auto clock = sleep_for(left);
    co_await (std::move(waiting) || std::move(clock));
  }
  co_return !is_present(session);
}

void DockerContext::discard(const SessionId& session) {
  if (leaves_the_rest_) return depart(session);
  background.spawn("discard container", [this, session] { return discard_until_gone(session); });
}

Task<void> DockerContext::discard_until_gone(SessionId session) {
  auto pause = std::chrono::milliseconds(100);
  const std::string name = container_name(session);
  while (true) {
    const auto removed = co_await engine.remove(name);
    if (removed) break;
    log.warn("container is left for now",
             {{"container", name}, {"reason", removed.error().explanation}});
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    pause = std::min(pause * 2, std::chrono::milliseconds(10'000));
  }
  depart(session);
}

}  // namespace relay
