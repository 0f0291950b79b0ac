#include "metrics/metrics.hpp"

#include "metrics/families.hpp"

#include <filesystem>
#include <iterator>
#include <system_error>

namespace relay::metrics {
namespace {

void add_sessions(Families& out, const Metrics& metrics) {
  const auto name = [](auto value) { return label(value); };
  out.gauges("sessions", "Open sessions by state.", "state", metrics.sessions, name);
  out.counter("sessions_created_total", "Sessions whose agent was started successfully.",
              static_cast<double>(metrics.sessions_created));
  out.histogram("session_start_seconds", "Time from session/new to its answer.",
                metrics.session_start);
  out.counters("turns_total", "Finished turns by stop reason.", "stop_reason", metrics.turns, name);
  out.histogram("turn_seconds", "Time from a prompt reaching the agent to its response.",
                metrics.turn);
  out.gauge("permission_waits", "Permission requests that wait for an answer.",
            static_cast<double>(metrics.permission_waits));
}

void add_traffic(Families& out, const Metrics& metrics) {
  const auto name = [](auto value) { return label(value); };
  out.counters("messages_total", "JSON-RPC messages by direction.", "direction", metrics.messages,
               name);
  out.counters("message_bytes_total", "Bytes of JSON-RPC messages by direction, without framing.",
               "direction", metrics.message_bytes, name);
  out.gauges("clients", "Connected clients by transport.", "transport", metrics.clients, name);
  out.counter("slow_clients_total", "Clients closed because they did not read fast enough.",
              static_cast<double>(metrics.slow_clients));
  out.counters("errors_total", "Errors sent to clients by error_type.", "type", metrics.errors,
               [](ErrorType type) { return to_string(type); });
  out.counters("agent_lines_skipped_total", "Lines of agents that were not delivered, by reason.",
               "reason", metrics.agent_lines_skipped, name);
  out.counters("agent_exits_total", "Agents that ended, by cause.", "cause", metrics.agent_exits,
               name);
}

void add_process(Families& out, const Metrics& metrics, Metrics::Clock::time_point now,
                 const std::string& version) {
  out.gauge("log_pending_bytes", "Bytes that wait to be written to the database.",
            static_cast<double>(metrics.log_pending_bytes));
  out.counter("log_lost_messages_total", "Messages that the log gave up because it was full.",
              static_cast<double>(metrics.log_lost_messages));
  out.counter("log_lines_dropped_total", "Lines for stderr that nobody took.",
              static_cast<double>(metrics.log_lines.dropped));
  out.counter("log_lines_repeated_total", "Lines left out because the same was said too often.",
              static_cast<double>(metrics.log_lines.repeated));
  out.gauge("log_writable", "1 while the database can be written, else 0.",
            metrics.log_writable ? 1 : 0);
  out.gauge("log_wal_bytes", "Size of the database's write-ahead log.",
            static_cast<double>(metrics.log_wal_bytes));
  out.gauge("longest_loop_turn_seconds",
            "Longest uninterrupted turn of the event loop in the last one to two minutes.",
            std::chrono::duration<double>(metrics.longest_loop_turn.value(now)).count());
  out.gauge("open_fds", "Open file descriptors.", static_cast<double>(count_open_fds()));
  out.info("build_info", "Always 1; the label tells the version.", "version", version);
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
  add_process(families, *this, now, version_);
  return families.text();
}

std::int64_t count_open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return -1;
  std::int64_t count = 0;
  for (auto entry = begin(entries); entry != end(entries) && !error; entry.increment(error)) {
    ++count;
  }
  return count - 1;  // the directory itself was open while counting
}

}  // namespace relay::metrics
