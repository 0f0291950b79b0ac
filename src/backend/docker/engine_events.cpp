#include "backend/docker/engine_events.hpp"

#include "backend/docker/container_spec.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace relay {
namespace {

constexpr std::chrono::milliseconds kFirstPause(100);
constexpr std::chrono::milliseconds kLongestPause(2'000);

}  // namespace

EngineEvents::EngineEvents(engine::EngineClient& engine, std::string instance, Logger log)
    : engine_(engine),
      label_(std::string(kInstanceLabel) + "=" + std::move(instance)),
      log_(std::move(log)) {}

void EngineEvents::watch(const std::string& container_id, OnEvent on_event) {
  watchers_[container_id] = std::move(on_event);
}

Task<void> EngineEvents::follow() {
  auto pause = kFirstPause;
  while (true) {
    const auto began = std::chrono::steady_clock::now();
    const Error failure = co_await follow_once();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return;
    // A stream that lasts is a new start; one that breaks again and again is not.
    if (std::chrono::steady_clock::now() - began > kLongestPause) pause = kFirstPause;
    if (!failure_) {
      log_.error("the Docker Engine is gone, no sessions until it is back",
                 {{"engine", engine_.address()}, {"reason", failure.explanation}});
    }
    failure_ = failure;
    const bool slept = co_await sleep_for(pause);
    if (!slept) co_return;
    pause = std::min(pause * 2, kLongestPause);
  }
}

// Returns with the reason when the stream has ended.
Task<Error> EngineEvents::follow_once() {
  auto opened = co_await engine_.events(label_);
  if (!opened) co_return opened.error();
  engine::EventStream stream = std::move(*opened);
  if (failure_) {
    failure_.reset();
    log_.info("the Docker Engine is back", {{"engine", engine_.address()}});
  }
  while (true) {
    const auto events = co_await stream.next();
    if (!events) co_return events.error();
    for (const engine::EngineEvent& event : *events) {
      const auto watcher = watchers_.find(event.container_id);
      if (watcher == watchers_.end()) continue;
      const OnEvent on_event = watcher->second;  // it may forget itself
      on_event(event);
    }
  }
}

}  // namespace relay
