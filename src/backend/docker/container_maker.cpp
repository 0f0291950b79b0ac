#include "backend/docker/container_maker.hpp"

#include "backend/docker/container_spec.hpp"

#include <algorithm>
#include <utility>

namespace relay {
namespace {

// How often the Engine has to say that there is none: 63 s at 1 s, 2 s, 4 s ...
constexpr int kDenials = 6;
constexpr int kTimesLonger = 32;  // the longest pause than the first one
constexpr std::size_t kMostAtATime = 256;

}  // namespace

ContainerMaker::ContainerMaker(asio::any_io_executor executor, engine::EngineClient& engine,
                               std::string instance, Logger log)
    : engine_(engine),
      instance_(std::move(instance)),
      log_(std::move(log)),
      late_(std::move(executor), [this](const std::string& task, std::exception_ptr) {
        log_.error("a task of the container backend failed", {{"task", task}});
      }) {}

Task<Result<std::string>> ContainerMaker::create(std::string name, std::string body,
                                                 std::string created) {
  auto made = co_await engine_.create_container(name, std::move(body));
  const bool may_come = !made && made.error().type == ErrorType::kDockerNotAvailable;
  if (may_come && late_.size() < kMostAtATime) {
    late_.spawn("remove a container that is made late",
                [this, name, created] { return remove_late(name, created); });
  }
  co_return made;
}

Task<void> ContainerMaker::remove_late(std::string name, std::string created) {
  auto pause = first_pause;
  const auto longest = pause * kTimesLonger;
  for (int denials = 0; denials < kDenials;) {
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    pause = std::min(pause * 2, longest);
    const auto facts = co_await engine_.inspect(name);
    if (!facts) continue;  // an Engine that does not answer denies nothing
    if (!*facts) {
      ++denials;
      continue;
    }
    // One name is for one container: where the session's next agent has it, this one has not.
    const engine::ContainerFacts& found = **facts;
    if (found.label(kInstanceLabel) != instance_) co_return;
    if (!created.empty() && found.label(kCreatedLabel) != created) co_return;
    const auto removed = co_await engine_.remove(found.id);
    if (!removed) continue;
    log_.info("removed a container that the Engine made late", {{"container", name}});
    co_return;
  }
}

Task<void> ContainerMaker::shut_down() {
  late_.cancel();
  co_await late_.join();
}

}  // namespace relay
