// The last ends of agents that nobody asked for, and the last errors that clients were given: what
// happened lately, for who looks at a running relay.
//
// Bounded: kKept of each, the oldest go first, and one line of text each. Texts are redacted before
// they are kept. Belongs to the loop thread.
#pragma once

#include "base/error.hpp"
#include "base/time.hpp"
#include "metrics/labels.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace relay::metrics {

struct AgentEvent {
  WallTime time{};
  std::string session;
  std::string agent;  // name of a configured agent; empty: the default one
  ExitCause cause = ExitCause::kExited;
  std::optional<int> exit_code, signal;
  bool goes_on = false;  // a process of the agent ended, and not the agent
  std::string text;
};

struct ErrorEvent {
  WallTime time{};  // of the last time
  std::string session;
  ErrorType type = ErrorType::kInternalError;
  std::string text;
  std::uint64_t times = 1;  // in a row
};

class RecentEvents {
 public:
  static constexpr std::size_t kKept = 100;
  static constexpr std::size_t kMaxText = 300;  // bytes; what is longer ends in "..."

  // For every text that is kept from here on.
  using Redact = std::function<std::string(std::string_view)>;
  void redact_with(Redact redact) { redact_ = std::move(redact); }

  void note(AgentEvent event);
  // `session` is empty where only the error itself may say which it is about.
  void note_error(const Error& error, std::string_view session, WallTime now = wall_now());

  // Oldest first.
  const std::deque<AgentEvent>& agents() const { return agents_; }
  const std::deque<ErrorEvent>& errors() const { return errors_; }

 private:
  std::string kept(std::string_view text) const;

  Redact redact_;
  std::deque<AgentEvent> agents_;
  std::deque<ErrorEvent> errors_;
};

}  // namespace relay::metrics
