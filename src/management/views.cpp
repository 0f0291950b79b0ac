#include "management/views.hpp"

#include "management/session_file.hpp"
#include "protocol/frame.hpp"
#include "protocol/json_text.hpp"
#include "session/history_view.hpp"

namespace relay::management {
namespace {

std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : json_string(text);
}

// {"a":1} and {"b":2} become {"a":1,"b":2}; neither is empty.
std::string joined(std::string first, std::string_view second) {
  first.back() = ',';
  return first.append(second.substr(1));
}

std::string list_of(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ',';
    out += item;
  }
  return out += ']';
}

std::string log_view(const storage::LogStatus& log) {
  return JsonObject()
      .boolean("writable", log.writable)
      .raw("lastError", text_or_null(log.last_error))
      .number("pendingBytes", static_cast<std::int64_t>(log.pending_bytes))
      .number("lostMessages", static_cast<std::int64_t>(log.lost_messages))
      .take();
}

std::string owner_view(const storage::SessionRecord& session) {
  return JsonObject().raw("owner", text_or_null(session.owner)).take();
}

std::string gap_line(const storage::Gap& gap) {
  return JsonObject().text("type", "gap").number("from", gap.from).number("to", gap.to).take() +
         '\n';
}

// Redaction may leave a text that is no JSON; it stands as a string then.
bool is_json(std::string_view body) {
  return Frame::parse(std::string(body), kAccepted).has_value();
}

std::string message_line(const storage::MessageRecord& message) {
  const std::string_view body = message.body.view();
  JsonObject line;
  line.text("type", "message")
      .number("sequence", message.sequence)
      .text("origin", message.origin == storage::Origin::kClient  ? "client"
                      : message.origin == storage::Origin::kAgent ? "agent"
                                                                  : "relay")
      .text("direction", direction(message))
      .text("messageType", message_type(message.kind))
      .raw("method", text_or_null(message.method))
      .raw("jsonrpcId", message.rpc_id.empty() ? "null" : message.rpc_id)
      .text("timestamp", to_rfc3339(message.time));
  if (is_json(body)) {
    line.raw("message", body);
  } else {
    line.raw("message", "null").text("rawMessage", body);
  }
  return line.take() + '\n';
}

}  // namespace

std::string health_view(const HealthFacts& facts) {
  return JsonObject()
      .text("status", "ok")
      .text("version", facts.version)
      .number("uptime_seconds", facts.uptime.count())
      .raw("isolation", text_or_null(facts.isolation))
      .raw("agent_command", text_or_null(facts.agent_command))
      .number("sessions", static_cast<std::int64_t>(facts.sessions))
      .take();
}

std::string readiness_view(const ReadinessFacts& facts, const storage::LogStatus& log) {
  const std::vector<std::string> reasons = not_ready_because(facts);
  std::vector<std::string> shown;
  JsonObject remedies;
  for (const std::string& reason : reasons) {
    shown.push_back(json_string(reason));
    if (!remedy(reason).empty()) remedies.text(reason, remedy(reason));
  }
  return JsonObject()
      .boolean("ready", reasons.empty())
      .raw("reasons", list_of(shown))
      .raw("remedies", remedies.take())
      .number("sessions", static_cast<std::int64_t>(facts.sessions))
      .number("sessionLimit", static_cast<std::int64_t>(facts.session_limit))
      .raw("log", log_view(log))
      .take();
}

std::string session_view(const storage::SessionRecord& session,
                         const std::optional<LiveFacts>& live, TimeForm form) {
  std::string shown = joined(session_item(session, live.has_value(), form), owner_view(session));
  if (!live) return shown;
  const std::string more = JsonObject()
                               .text("state", live->state)
                               .number("clients", static_cast<std::int64_t>(live->clients))
                               .boolean("turnRunning", live->turn_running)
                               .raw("runsAs", text_or_null(live->runs_as))
                               .take();
  return joined(std::move(shown), more);
}

std::string with_use(std::string session_view, std::string_view use) {
  return joined(std::move(session_view),
                JsonObject().raw("upstreamUse", use.empty() ? "null" : use).take());
}

std::string text_list(const std::vector<std::string>& texts) {
  std::vector<std::string> shown;
  for (const std::string& text : texts) shown.push_back(json_string(text));
  return list_of(shown);
}

std::string closed_view(const std::vector<std::string>& ids) {
  return JsonObject().raw("closed", text_list(ids)).take();
}

std::string array_view(const std::vector<std::string>& sessions) { return list_of(sessions); }

std::string page_view(const std::vector<std::string>& sessions,
                      const std::optional<std::string>& next_cursor) {
  JsonObject list;
  list.raw("sessions", list_of(sessions));
  if (next_cursor) list.text("nextCursor", *next_cursor);
  return list.take();
}

std::string audit_view(const storage::AuditPage& page) {
  std::vector<std::string> rows;
  for (const storage::AuditRecord& row : page.rows) {
    rows.push_back(JsonObject()
                       .number("number", row.number)
                       .text("time", to_rfc3339(row.time))
                       .text("session", row.session.value())
                       .text("action", row.action)
                       .raw("detail", text_or_null(row.detail))
                       .raw("principal", text_or_null(row.actor.principal))
                       .raw("transport", text_or_null(row.actor.transport))
                       .raw("peer", text_or_null(row.actor.peer))
                       .take());
  }
  JsonObject view;
  view.raw("entries", list_of(rows));
  if (!page.complete && !page.rows.empty()) view.number("nextAfter", page.rows.back().number);
  return view.take();
}

std::string export_head(const storage::SessionRecord& session, bool is_active) {
  const std::string item = joined(session_item(session, is_active), owner_view(session));
  const std::string format = JsonObject()
                                 .text("type", "session")
                                 .text("format", kSessionFormat)
                                 .number("version", kSessionFormatVersion)
                                 .take();
  return joined(format, item) + '\n';
}

std::string export_lines(const storage::HistoryPage& page, storage::Sequence after,
                         storage::Sequence end) {
  std::string out;
  for (const storage::MessageRecord& message : page.messages) {
    if (message.sequence > end) break;
    if (message.sequence > after + 1) out += gap_line({after + 1, message.sequence - 1});
    out += message_line(message);
    after = message.sequence;
  }
  const bool has_all =
      page.complete || (!page.messages.empty() && page.messages.back().sequence > end);
  if (has_all && after < end) out += gap_line({after + 1, end});
  return out;
}

}  // namespace relay::management
