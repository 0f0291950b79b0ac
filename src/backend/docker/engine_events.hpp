// Follows the Engine's events of this relay's containers, and knows by that whether the Engine is
// there: no polling.
#pragma once

#include "base/async.hpp"
#include "base/log.hpp"
#include "engine/client.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace relay {

class EngineEvents {
 public:
  EngineEvents(engine::EngineClient& engine, std::string instance, Logger log);

  // Follows until it is cancelled; comes back by itself when the Engine does.
  Task<void> follow();

  // Calls `on_event` for the events of one container, until forget().
  using OnEvent = std::function<void(const engine::EngineEvent&)>;
  void watch(const std::string& container_id, OnEvent on_event);
  void forget(const std::string& container_id) { watchers_.erase(container_id); }

  // Why the Engine can't be used now; empty: it can.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  Task<Error> follow_once();

  engine::EngineClient& engine_;
  std::string label_;
  Logger log_;
  std::map<std::string, OnEvent> watchers_;
  std::optional<Error> failure_;
};

}  // namespace relay
