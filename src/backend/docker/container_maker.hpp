// Makes containers, and removes those that the Engine makes when nobody waits for them any more.
//
// A creation that ends without an answer (the Engine is too slow, the connection is lost) may come
// to its end later. Until then the Engine knows no such container, and whoever removes it by its
// name is told that it is gone. So it is looked for in the background, more and more rarely, until
// the Engine has said for about a minute that there is none. One executor, no locks. Call
// shut_down() before destroying it. What comes later still, and more than 256 at a time, is found
// by the relay's next start.
#pragma once

#include "base/async.hpp"
#include "base/log.hpp"
#include "engine/client.hpp"

#include <chrono>
#include <string>

namespace relay {

class ContainerMaker {
 public:
  // `engine` outlives it.
  ContainerMaker(asio::any_io_executor executor, engine::EngineClient& engine, std::string instance,
                 Logger log);

  // As EngineClient::create_container(). `created` is the label kCreatedLabel in `body`, which
  // tells containers of one name apart; empty: it has none, and nobody uses the name again.
  Task<Result<std::string>> create(std::string name, std::string body, std::string created);

  // Nothing is looked for.
  bool is_idle() const { return late_.empty(); }
  Task<void> shut_down();

  std::chrono::milliseconds first_pause{1'000};  // the next ones are twice as long each

 private:
  Task<void> remove_late(std::string name, std::string created);

  engine::EngineClient& engine_;
  const std::string instance_;
  const Logger log_;
  TaskScope late_;
};

}  // namespace relay
