// A session that the relay makes for itself now and then, to know that one can be made.
#pragma once

#include "base/log.hpp"
#include "session/session_directory.hpp"

#include <chrono>

namespace relay::app {

class Canary {
 public:
  // `sessions` outlives it.
  Canary(SessionDirectory& sessions, Logger log) : sessions_(sessions), log_(std::move(log)) {}

  // Makes a session of the default agent every `interval`, and deletes it again, until it is
  // cancelled. No prompt is sent.
  Task<void> run(std::chrono::milliseconds interval);

  // The last one could not be made.
  bool failed() const { return failed_; }

 private:
  Task<void> try_once();

  SessionDirectory& sessions_;
  Logger log_;
  bool failed_ = false;
};

}  // namespace relay::app
