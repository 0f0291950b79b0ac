// A session that the relay makes for itself now and then, to know that one can be made.
#pragma once

#include "base/async.hpp"
#include "base/log.hpp"
#include "session/session_directory.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace relay::app {

// Whether a canary that was not made has failed for want of the relay, the Engine or the agent. An
// agent that answers with an error that is not its own, as one that wants a login does, is well.
// Empty: it says nothing of the agent (who ends a session, a limit that others have reached).
std::optional<bool> canary_failed(const Error& error);

class Canary {
 public:
  // `sessions` outlives it. An interval of 0 makes none.
  Canary(asio::any_io_executor executor, SessionDirectory& sessions,
         std::chrono::milliseconds interval, Logger log)
      : sessions_(sessions),
        log_(std::move(log)),
        interval_(interval),
        changed_(std::move(executor)) {}

  // Makes a session of the default agent every interval, and deletes it again, until it is
  // cancelled. No prompt is sent.
  Task<void> run();

  // The new interval begins now. Without one there is no last one that could have failed.
  void change(std::chrono::milliseconds interval);

  // The last one could not be made.
  bool failed() const { return failed_ && interval_.count() > 0; }

 private:
  Task<bool> is_due();
  Task<void> try_once();

  SessionDirectory& sessions_;
  Logger log_;
  std::chrono::milliseconds interval_;
  Wakeup changed_;
  bool failed_ = false;
  bool cancelled_ = false;
};

}  // namespace relay::app
