#include "cli/health_view.hpp"

#include "cli/json_access.hpp"
#include "cli/quantities.hpp"
#include "cli/terminal_text.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace relay::cli {
namespace {

namespace json = boost::json;
using Row = std::vector<std::string>;

// Of events and of errors.
constexpr std::size_t kNewest = 10;
constexpr std::string_view kUnknown = "unknown";

std::optional<double> number_at(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

std::optional<std::string> size_at(const json::object& object, std::string_view key) {
  const std::optional<double> number = number_at(object, key);
  if (!number || *number < 0) return std::nullopt;
  return size_words(static_cast<std::uint64_t>(*number));
}

std::string count_at(const json::object& object, std::string_view key) {
  const std::optional<double> number = number_at(object, key);
  return number ? fmt::format("{:.0f}", *number) : "-";
}

std::string text_or_dash(const json::object& object, std::string_view key) {
  const std::string_view text = string_at(object, key);
  return text.empty() ? "-" : std::string(text);
}

std::string age_at(const json::object& object, std::string_view key) {
  const std::optional<double> seconds = number_at(object, key);
  if (!seconds) return "-";
  return age_words(std::chrono::seconds(static_cast<std::int64_t>(*seconds)));
}

// To the second.
std::string time_of(const json::object& event) {
  const std::string_view time = string_at(event, "time");
  return time.size() > 19 ? std::string(time.substr(0, 19)) + "Z" : text_or_dash(event, "time");
}

std::string pair_of(const json::object& agent, std::string_view in, std::string_view out) {
  const auto first = size_at(agent, in);
  const auto second = size_at(agent, out);
  if (!first && !second) return "-";
  return first.value_or("-") + " / " + second.value_or("-");
}

bool is_unknown(const json::object& agent) {
  return string_at(agent, "runState").empty() && !string_at(agent, "runsAs").empty();
}

std::string cpu_of(const json::object& agent) {
  if (is_unknown(agent)) return std::string(kUnknown);
  const std::optional<double> percent = number_at(agent, "cpuPercent");
  return percent ? fmt::format("{:.1f}%", *percent) : "-";
}

std::string memory_of(const json::object& agent) {
  if (is_unknown(agent)) return std::string(kUnknown);
  const auto used = size_at(agent, "memoryBytes");
  if (!used) return "-";
  const auto limit = size_at(agent, "memoryLimitBytes");
  return limit ? *used + " of " + *limit : *used;
}

std::string state_of_agent(const json::object& agent) {
  std::string state = text_or_dash(agent, "state");
  const std::string_view run_state = string_at(agent, "runState");
  if (!run_state.empty() && run_state != "running") state += fmt::format(" ({})", run_state);
  return state;
}

// Without the kind, which has a column of its own.
std::string place_of(const json::object& agent) {
  constexpr std::string_view kContainer = "container ";
  std::string place = text_or_dash(agent, "runsAs");
  return place.starts_with(kContainer) ? place.substr(kContainer.size()) : place;
}

std::string ending_of(const json::object& event) {
  if (const auto code = number_at(event, "exitCode")) return fmt::format("code {:.0f}", *code);
  if (const auto signal = number_at(event, "signal")) return fmt::format("signal {:.0f}", *signal);
  const json::value* const goes_on = event.if_contains("agentGoesOn");
  return goes_on != nullptr && goes_on->is_bool() && goes_on->get_bool() ? "goes on" : "-";
}

// What matters most comes first: a narrow terminal shows the beginning.
Row agent_row(const json::object& agent) {
  return {text_or_dash(agent, "session"),
          state_of_agent(agent),
          age_at(agent, "ageSeconds"),
          cpu_of(agent),
          memory_of(agent),
          text_or_dash(agent, "isolation"),
          place_of(agent),
          pair_of(agent, "networkReceivedBytes", "networkSentBytes"),
          pair_of(agent, "diskReadBytes", "diskWrittenBytes"),
          count_at(agent, "clients"),
          text_or_dash(agent, "agent")};
}

Row event_row(const json::object& event) {
  return {time_of(event), text_or_dash(event, "session"), text_or_dash(event, "cause"),
          ending_of(event), text_or_dash(event, "text")};
}

Row error_row(const json::object& error) {
  return {time_of(error), text_or_dash(error, "session"), text_or_dash(error, "errorType"),
          count_at(error, "times"), text_or_dash(error, "text")};
}

// At most `most` of a list, as the rows of a table; a line in place of one that is empty.
std::string section(const json::object& overview, std::string_view key, std::size_t most,
                    const Row& header, Row (*row_of)(const json::object&),
                    std::string_view when_empty) {
  std::vector<Row> rows;
  if (const json::array* const items = array_at(overview, key)) {
    for (const json::value& item : *items) {
      if (rows.size() < most && item.is_object()) rows.push_back(row_of(item.get_object()));
    }
  }
  return "\n" + (rows.empty() ? std::string(when_empty) + "\n" : table(header, rows));
}

std::string heading(const json::object& overview, const std::string& url) {
  std::string out =
      fmt::format("acp-relay {} at {}, up {}: {}\n", text_or_dash(overview, "version"), url,
                  age_at(overview, "uptimeSeconds"), is_ready(overview) ? "ready" : "NOT READY");
  const json::object* const readiness = object_at(overview, "readiness");
  if (readiness == nullptr) return out;
  const json::array* const reasons = array_at(*readiness, "reasons");
  const json::object* const remedies = object_at(*readiness, "remedies");
  for (const json::value& reason : reasons != nullptr ? *reasons : json::array()) {
    if (!reason.is_string()) continue;
    const std::string_view word(reason.get_string());
    const std::string_view remedy = remedies != nullptr ? string_at(*remedies, word) : "";
    out += fmt::format("  {}{}{}\n", word, remedy.empty() ? "" : ": ", remedy);
  }
  return out;
}

std::string sessions_line(const json::object& overview) {
  const json::object* const sessions = object_at(overview, "sessions");
  if (sessions == nullptr) return {};
  return fmt::format("sessions: {} of {} ({} starting, {} ready, {} in a turn, {} closing)\n",
                     count_at(overview, "agentsTotal"), count_at(*sessions, "limit"),
                     count_at(*sessions, "starting"), count_at(*sessions, "ready"),
                     count_at(*sessions, "turn"), count_at(*sessions, "closing"));
}

std::string log_line(const json::object& overview) {
  const json::object* const readiness = object_at(overview, "readiness");
  const json::object* const log = readiness != nullptr ? object_at(*readiness, "log") : nullptr;
  if (log == nullptr) return {};
  const json::value* const writable = log->if_contains("writable");
  const bool can_write = writable != nullptr && writable->is_bool() && writable->get_bool();
  const std::string_view failure = string_at(*log, "lastError");
  return fmt::format("log: {}, {} waiting, {} messages lost{}{}\n",
                     can_write ? "writable" : "NOT WRITABLE",
                     size_at(*log, "pendingBytes").value_or("-"), count_at(*log, "lostMessages"),
                     failure.empty() ? "" : "; last error: ", failure);
}

std::string agents_left_out(const json::object& overview) {
  const json::array* const agents = array_at(overview, "agents");
  const double all = number_at(overview, "agentsTotal").value_or(0);
  const double shown = agents != nullptr ? static_cast<double>(agents->size()) : 0;
  if (shown == 0 || shown >= all) return {};
  return fmt::format("{:.0f} more are not shown (--limit)\n", all - shown);
}

}  // namespace

bool is_ready(const json::object& overview) {
  const json::object* const readiness = object_at(overview, "readiness");
  const json::value* const ready = readiness != nullptr ? readiness->if_contains("ready") : nullptr;
  return ready != nullptr && ready->is_bool() && ready->get_bool();
}

std::string health_screen(const json::object& overview, const std::string& url) {
  const std::string top = heading(overview, url) + sessions_line(overview) + log_line(overview);
  return visible(top) +
         section(overview, "agents", SIZE_MAX,
                 {"SESSION", "STATE", "AGE", "CPU", "MEMORY", "ISOLATION", "RUNS AS",
                  "NET IN / OUT", "DISK READ / WRITTEN", "CLIENTS", "AGENT"},
                 agent_row, "no agent runs") +
         agents_left_out(overview) +
         section(overview, "events", kNewest,
                 {"EVENTS", "SESSION", "CAUSE", "END", "WHAT HAPPENED"}, event_row,
                 "no agent has ended by itself") +
         section(overview, "errors", kNewest, {"ERRORS", "SESSION", "TYPE", "TIMES", "TEXT"},
                 error_row, "no client was given an error");
}

}  // namespace relay::cli
