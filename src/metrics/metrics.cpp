#include "metrics/metrics.hpp"

#include "metrics/families.hpp"
#include "metrics/process_facts.hpp"

#include <algorithm>
#include <concepts>
#include <limits>

namespace relay::metrics {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double number(std::integral auto value) { return static_cast<double>(value); }

double seconds(Metrics::Clock::duration value) {
  return std::chrono::duration<double>(value).count();
}

void add_sessions(Families& out, const Metrics& metrics) {
  out.gauges("acp_relay_sessions", "Open sessions by isolation and state.", "isolation", "state",
             metrics.sessions);
  out.counter("acp_relay_sessions_created_total", "Sessions whose agent was started successfully.",
              number(metrics.sessions_created));
  out.counters("acp_relay_session_starts_failed_total",
               "Starts of sessions that failed for want of the relay, the Engine or the agent, by "
               "error_type.",
               "type", metrics.starts_failed);
  out.histogram("acp_relay_session_start_seconds", "Time from session/new to its answer.",
                metrics.session_start);
  out.histograms("acp_relay_session_start_phase_seconds",
                 "Phases of starts that worked, also where a later one failed.", "phase",
                 metrics.start_phases);
  out.counters("acp_relay_sessions_closed_total", "Sessions that were closed, by cause.", "cause",
               metrics.sessions_closed);
  out.counter("acp_relay_sessions_forgotten_total",
              "Closed sessions without messages that retention removed from the log.",
              number(metrics.sessions_forgotten));
  out.counters("acp_relay_turns_total", "Finished turns by stop reason.", "stop_reason",
               metrics.turns);
  out.histogram("acp_relay_turn_seconds", "Time from a prompt reaching the agent to its response.",
                metrics.turn);
  out.gauge("acp_relay_permission_waits", "Permission requests that wait for an answer.",
            number(metrics.permission_waits));
  out.gauge("acp_relay_permission_oldest_wait_seconds",
            "How long the oldest of them has waited, 0 when there is none.",
            seconds(metrics.oldest_permission_wait));
}

void add_traffic(Families& out, const Metrics& metrics) {
  out.counters("acp_relay_messages_total", "JSON-RPC messages by direction.", "direction",
               metrics.messages);
  out.counters("acp_relay_message_bytes_total",
               "Bytes of JSON-RPC messages by direction, without framing.", "direction",
               metrics.message_bytes);
  out.histograms("acp_relay_message_relay_seconds",
                 "Time from having read a message to having handed it on, of a sample of messages.",
                 "route", metrics.relay_time);
  out.gauges("acp_relay_clients", "Connected clients by transport.", "transport", metrics.clients);
  out.gauge("acp_relay_outbox_bytes", "Bytes of messages of sessions that wait for clients.",
            number(metrics.waiting.bytes));
  out.gauge("acp_relay_outbox_frames", "Messages of sessions that wait for clients.",
            number(metrics.waiting.frames));
  out.gauge("acp_relay_outbox_largest_bytes", "Bytes that wait for the client with the most.",
            number(metrics.waiting.largest_bytes));
  out.counter("acp_relay_slow_clients_total",
              "Clients closed because they did not read fast enough.",
              number(metrics.slow_clients));
  out.counters("acp_relay_errors_total", "Errors sent to clients by error_type.", "type",
               metrics.errors);
}

void add_agents(Families& out, const Metrics& metrics) {
  out.counters("acp_relay_agent_lines_skipped_total",
               "Lines of agents that were not delivered, by reason.", "reason",
               metrics.agent_lines_skipped);
  out.counters("acp_relay_agent_exits_total", "Agents that ended, by isolation and cause.",
               "isolation", "cause", metrics.agent_exits);
  out.histograms("acp_relay_engine_call_seconds",
                 "Time of calls to the Docker Engine to their answer, also of those that failed.",
                 "call", metrics.engine_calls);
  out.counters("acp_relay_engine_errors_total", "Calls to the Docker Engine that failed, by kind.",
               "kind", metrics.engine_errors);
}

void add_upstreams(Families& out, const Metrics& metrics) {
  const auto& upstreams = metrics.upstreams;
  out.counters_by("acp_relay_upstream_requests_total",
                  "Requests of agents by upstream and by how they ended.", "upstream", "outcome",
                  upstreams, &Metrics::Upstream::requests);
  out.counters_by("acp_relay_upstream_sent_bytes_total", "Bytes of bodies sent to upstreams.",
                  "upstream", upstreams, &Metrics::Upstream::sent_bytes);
  out.counters_by("acp_relay_upstream_received_bytes_total", "Bytes of bodies of their answers.",
                  "upstream", upstreams, &Metrics::Upstream::received_bytes);
  out.counters_by("acp_relay_upstream_tokens_total", "Tokens that answers of upstreams tell of.",
                  "upstream", upstreams, &Metrics::Upstream::tokens);
  out.histograms_by("acp_relay_upstream_first_byte_seconds",
                    "Time from a request of an agent to the head of the upstream's answer.",
                    "upstream", upstreams, &Metrics::Upstream::first_byte);
  out.gauge("acp_relay_upstream_connections", "Connections of agents to the relay.",
            number(metrics.upstream_connections));
}

void add_log(Families& out, const Metrics& metrics) {
  out.gauge("acp_relay_log_pending_bytes", "Bytes that wait to be written to the database.",
            number(metrics.log_pending_bytes));
  out.gauge(
      "acp_relay_log_backlog_bytes",
      "Bytes in memory and in the journal that the database does not have, 0 while it can't be "
      "written.",
      number(metrics.log_backlog_bytes));
  out.gauge("acp_relay_log_held_back_seconds",
            "How long agents and clients have been held back because too much of the log waits.",
            seconds(metrics.log_held_back_for));
  out.counter("acp_relay_log_lost_messages_total",
              "Messages that the log gave up because it was full.",
              number(metrics.log_lost_messages));
  out.counter("acp_relay_log_deleted_messages_total", "Messages that retention deleted.",
              number(metrics.messages_deleted));
  out.counter("acp_relay_log_lines_dropped_total", "Lines for stderr that nobody took.",
              number(metrics.log_lines.dropped));
  out.counter("acp_relay_log_lines_repeated_total",
              "Lines left out because the same was said too often.",
              number(metrics.log_lines.repeated));
  out.gauge("acp_relay_log_writable", "1 while the database can be written, else 0.",
            metrics.log_writable ? 1 : 0);
  out.gauge("acp_relay_log_wal_bytes", "Size of the database's write-ahead log.",
            number(metrics.log_wal_bytes));
  out.gauge("acp_relay_log_disk_free_bytes",
            "Free bytes of the disk where the database lies, NaN when not known.",
            metrics.disk_free_bytes < 0 ? kUnknown : number(metrics.disk_free_bytes));
}

void add_readiness(Families& out, const Metrics& metrics) {
  const bool ready =
      std::ranges::none_of(metrics.not_ready, [](const auto& reason) { return reason.second; });
  out.gauge("acp_relay_ready", "1 while a session could be made and a turn would work, else 0.",
            ready ? 1 : 0);
  out.flags_by("acp_relay_not_ready", "1 for each reason why the relay is not ready, else 0.",
               "reason", metrics.not_ready);
}

void add_process(Families& out, const Metrics& metrics, Metrics::Clock::time_point now,
                 const std::string& version) {
  out.gauge(
      "acp_relay_longest_loop_turn_seconds",
      "Most that a timer of the event loop was late in the last one to two minutes: the longest "
      "turn, or up to 0.2 s less.",
      seconds(metrics.longest_loop_turn.value(now)));
  const std::int64_t open_fds = count_open_fds();
  out.gauge("acp_relay_open_fds", "Open file descriptors, NaN when not known.",
            open_fds < 0 ? kUnknown : number(open_fds));
  out.info("acp_relay_build_info", "Always 1; the label tells the version.", "version", version);
  if (const auto used = cpu_seconds()) {
    out.counter("process_cpu_seconds_total", "User and system CPU time of this process.", *used);
  }
  const auto facts = process_facts();
  if (!facts) return;
  out.gauge("process_resident_memory_bytes", "Resident memory of this process.",
            number(facts->resident_bytes));
  out.gauge("process_start_time_seconds", "Start of this process since 1970.",
            facts->start_seconds);
}

}  // namespace

void Metrics::before_text(std::function<void(Metrics&)> refresh) {
  refreshers_.push_back(std::move(refresh));
}

std::string Metrics::text(Clock::time_point now) {
  for (const auto& refresh : refreshers_) refresh(*this);
  Families families;
  add_sessions(families, *this);
  add_traffic(families, *this);
  add_agents(families, *this);
  add_upstreams(families, *this);
  add_log(families, *this);
  add_readiness(families, *this);
  add_process(families, *this, now, version_);
  return families.text();
}

}  // namespace relay::metrics
