#include "management/overview.hpp"

#include "management/views.hpp"
#include "protocol/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace relay::management {
namespace {

constexpr std::string_view kNull = "null";

std::string text_or_none(std::string_view text) {
  return text.empty() ? std::string(kNull) : json_string(text);
}

template <class Number>
std::string number_or_none(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : std::string(kNull);
}

std::string one_decimal(const std::optional<double>& number) {
  return number ? fmt::format("{:.1f}", *number) : std::string(kNull);
}

template <class Items, class View>
std::string list_of_views(const Items& items, View view) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += view(item);
  }
  return out += ']';
}

std::string sessions_view(const OverviewFacts& facts) {
  JsonObject out;
  out.number("limit", static_cast<std::int64_t>(facts.readiness.session_limit));
  for (const auto state : {metrics::SessionState::kStarting, metrics::SessionState::kReady,
                           metrics::SessionState::kTurn, metrics::SessionState::kClosing}) {
    out.number(metrics::label(state), static_cast<std::int64_t>(facts.sessions[state]));
  }
  return out.take();
}

std::string agent_view(const AgentRow& row, WallTime now) {
  const AgentUsage unknown;
  const AgentUsage& usage = row.reading.usage ? *row.reading.usage : unknown;
  JsonObject out;
  out.text("session", row.session)
      .raw("agent", text_or_none(row.agent))
      .text("isolation", row.isolation)
      .raw("runsAs", text_or_none(row.runs_as))
      .text("state", metrics::label(row.state))
      .number("clients", static_cast<std::int64_t>(row.clients))
      .raw("runState", text_or_none(usage.state));
  if (usage.started_at) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - *usage.started_at);
    out.text("startedAt", to_rfc3339(*usage.started_at))
        .number("ageSeconds", std::max<std::int64_t>(age.count(), 0));
  } else {
    out.raw("startedAt", kNull).raw("ageSeconds", kNull);
  }
  return out.raw("cpuPercent", one_decimal(row.reading.cpu_percent))
      .raw("memoryBytes", number_or_none(usage.memory_bytes))
      .raw("memoryLimitBytes", number_or_none(usage.memory_limit_bytes))
      .raw("processes", number_or_none(usage.processes))
      .raw("processLimit", number_or_none(usage.process_limit))
      .raw("networkReceivedBytes", number_or_none(usage.network_received_bytes))
      .raw("networkSentBytes", number_or_none(usage.network_sent_bytes))
      .raw("diskReadBytes", number_or_none(usage.disk_read_bytes))
      .raw("diskWrittenBytes", number_or_none(usage.disk_written_bytes))
      .take();
}

std::string event_view(const metrics::AgentEvent& event) {
  return JsonObject()
      .text("time", to_rfc3339(event.time))
      .text("session", event.session)
      .raw("agent", text_or_none(event.agent))
      .text("cause", metrics::label(event.cause))
      .raw("exitCode", number_or_none(event.exit_code))
      .raw("signal", number_or_none(event.signal))
      .boolean("agentGoesOn", event.goes_on)
      .text("text", event.text)
      .take();
}

std::string error_view(const metrics::ErrorEvent& error) {
  return JsonObject()
      .text("time", to_rfc3339(error.time))
      .raw("session", text_or_none(error.session))
      .text("errorType", to_string(error.type))
      .number("times", static_cast<std::int64_t>(error.times))
      .text("text", error.text)
      .take();
}

}  // namespace

std::string overview_view(const OverviewFacts& facts, const metrics::RecentEvents& recent) {
  return JsonObject()
      .text("time", to_rfc3339(facts.now))
      .text("version", facts.version)
      .number("uptimeSeconds", facts.uptime.count())
      .raw("readiness", readiness_view(facts.readiness, facts.log))
      .raw("sessions", sessions_view(facts))
      .raw("agents",
           list_of_views(facts.agents,
                         [&facts](const AgentRow& row) { return agent_view(row, facts.now); }))
      .number("agentsTotal", static_cast<std::int64_t>(facts.all_agents))
      .number("agentsOffset", static_cast<std::int64_t>(facts.offset))
      .raw("events", list_of_views(std::views::reverse(recent.agents()), event_view))
      .raw("errors", list_of_views(std::views::reverse(recent.errors()), error_view))
      .take();
}

}  // namespace relay::management
