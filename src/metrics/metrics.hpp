// What the relay counts, and its Prometheus text (GET /metrics).
//
// One object, made by app and handed down by reference; it outlives everyone who counts. Belongs to
// the loop thread: fields are plain integers that a message may bump without an atomic or a lookup.
// Numbers that somebody else keeps (the log's status, say) are copied in by the functions given to
// before_text(), which run at every scrape. text() is the only costly call.
//
//   ++metrics.messages[Direction::kAgentToRelay];
//   ++metrics.sessions[SessionState::kReady];   // gauges go down again: --metrics.sessions[...]
#pragma once

#include "base/log.hpp"
#include "metrics/counts.hpp"
#include "metrics/labels.hpp"
#include "metrics/recent_events.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace relay::metrics {

class Metrics {
 public:
  using Clock = std::chrono::steady_clock;
  template <class Label, Label Last>
  using Gauges = Counts<Label, Last, std::int64_t>;

  // `version` is the value of acp_relay_build_info's label.
  explicit Metrics(std::string version = RELAY_VERSION) : version_(std::move(version)) {}
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Sessions and turns.
  Counts<AgentIsolation, AgentIsolation::kContainer, Gauges<SessionState, SessionState::kClosing>>
      sessions;  // open sessions
  std::uint64_t sessions_created = 0;
  Counts<ErrorType, kLastErrorType> starts_failed;  // as recent_starts has them
  DurationHistogram session_start;                  // session/new to its answer, successful ones
  Counts<StartPhase, StartPhase::kNew, DurationHistogram> start_phases;
  Counts<CloseCause, CloseCause::kError> sessions_closed;
  Counts<StopReason, StopReason::kOther> turns;
  DurationHistogram turn;  // prompt to its response, without the time in the queue
  std::int64_t permission_waits = 0;
  Clock::duration oldest_permission_wait{};  // 0: none waits
  RecentOutcomes
      recent_starts;            // of sessions; those that failed for want of the relay or its agent
  RecentOutcomes recent_turns;  // likewise

  // Messages and clients. Bytes are those of JSON bodies, without framing.
  Counts<Direction, Direction::kRelayToClient> messages;
  Counts<Direction, Direction::kRelayToClient> message_bytes;
  Gauges<Transport, Transport::kAcpWebSocket> clients;
  std::uint64_t slow_clients = 0;
  // The relay's own time: from having read a message to having handed it on. Of few messages.
  Counts<Route, Route::kAgentToClient, RelayTimeHistogram> relay_time;
  // What waits for clients that watch sessions.
  struct Waiting {
    std::size_t bytes = 0;
    std::size_t frames = 0;
    std::size_t largest_bytes = 0;  // of one client
  } waiting;
  Counts<ErrorType, kLastErrorType> errors;  // errors sent to clients, by error_type
  RecentEvents recent;

  // Agents.
  Counts<SkipReason, SkipReason::kUnknownId> agent_lines_skipped;
  Counts<AgentIsolation, AgentIsolation::kContainer, Counts<ExitCause, ExitCause::kNotStarted>>
      agent_exits;

  // The Docker Engine. A call that gives a stream lasts until the stream is there, a pull to its
  // end.
  Counts<EngineCall, EngineCall::kEvents, DurationHistogram> engine_calls;
  Counts<EngineError, EngineError::kFailed> engine_errors;

  // What agents do by way of the relay. Keys are the upstreams of the configuration, and "" for
  // requests that name none of them; there is none without upstreams.
  struct Upstream {
    Counts<RequestOutcome, RequestOutcome::kAgentLeft> requests;
    std::uint64_t sent_bytes = 0;      // of bodies
    std::uint64_t received_bytes = 0;  // likewise
    std::uint64_t tokens = 0;          // that answers say
    DurationHistogram first_byte;      // of those that were answered
  };
  std::map<std::string, Upstream> upstreams;
  std::size_t upstream_connections =
      0;  // of agents to the relay; copied by a before_text() function

  // The message log; copied from its status by a before_text() function.
  std::uint64_t log_pending_bytes = 0;
  std::uint64_t log_backlog_bytes = 0;
  Clock::duration log_held_back_for{};
  std::uint64_t log_lost_messages = 0;
  LogCounts log_lines;  // of the log on stderr
  std::uint64_t log_wal_bytes = 0;
  bool log_writable = true;
  std::int64_t disk_free_bytes = -1;     // where the database lies; -1: not known
  std::uint64_t messages_deleted = 0;    // for their age, or the size of the log
  std::uint64_t sessions_forgotten = 0;  // closed ones that had no messages left

  // Whether each reason for not being ready holds; set for every scrape. Keys are a closed set.
  std::map<std::string, bool> not_ready;

  // How late a timer of 200 ms was at most, in the last minutes: as long as a turn of the event
  // loop took at least, and up to 200 ms less than the longest.
  RecentMaximum longest_loop_turn;

  void count_message(Direction direction, std::size_t bytes) {
    ++messages[direction];
    message_bytes[direction] += bytes;
  }

  // Whether the relay's time with these messages is taken: it is of one batch in kSampledBatches.
  bool is_sampled(Route route) { return batches_[route]++ % kSampledBatches == 0; }
  static constexpr std::uint64_t kSampledBatches = 16;

  // An error that a client is given; see RecentEvents::note_error() for `session`.
  void count_error(const Error& error, std::string_view session = {}) {
    ++errors[error.type];
    recent.note_error(error, session);
  }

  // `refresh` runs at the start of every text(); what it captures must outlive the last scrape.
  void before_text(std::function<void(Metrics&)> refresh);

  // Prometheus text format 0.0.4. Media type: kContentType.
  std::string text(Clock::time_point now = Clock::now());

  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  std::string version_;
  Counts<Route, Route::kAgentToClient> batches_;
  std::vector<std::function<void(Metrics&)>> refreshers_;
};

}  // namespace relay::metrics

namespace relay {
using metrics::Metrics;
}  // namespace relay
