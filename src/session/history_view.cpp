#include "session/history_view.hpp"

#include "protocol/json_text.hpp"

namespace relay {
namespace {

// Empty texts stand for "not known".
std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : json_string(text);
}

}  // namespace

std::string_view direction(const storage::MessageRecord& message) {
  switch (message.origin) {
    case storage::Origin::kClient:
      return "client_to_relay";
    case storage::Origin::kAgent:
      return "agent_to_relay";
    case storage::Origin::kRelay:
      break;
  }
  return message.to_client ? "relay_to_client" : "relay_to_agent";
}

std::string_view message_type(storage::MessageKind kind) {
  switch (kind) {
    case storage::MessageKind::kRequest:
      return "request";
    case storage::MessageKind::kResponse:
      return "response";
    case storage::MessageKind::kNotification:
      break;
  }
  return "notification";
}

std::string history_item(const storage::MessageRecord& message) {
  return JsonObject()
      .number("id", message.sequence)
      .text("direction", direction(message))
      .text("messageType", message_type(message.kind))
      .raw("method", text_or_null(message.method))
      .raw("jsonrpcId", message.rpc_id.empty() ? "null" : message.rpc_id)
      .text("rawMessage", message.body.view())
      .text("timestamp", to_rfc3339(message.time))
      .number("sequence", message.sequence)
      .take();
}

std::string session_item(const storage::SessionRecord& session, bool is_active, TimeForm form) {
  const auto written = form == TimeForm::kSql ? to_sql_time : to_rfc3339;
  const std::string closed_at =
      session.closed_at ? json_string(written(*session.closed_at)) : "null";
  return JsonObject()
      .text("id", session.id.value())
      .text("agentSessionId", session.agent_session_id)
      .raw("agent", text_or_null(session.agent))
      .text("workingDirectory", session.working_directory)
      .text("createdAt", written(session.created_at))
      .raw("closedAt", closed_at)
      .boolean("isActive", is_active)
      .text("isolation", session.isolation)
      .raw("image", text_or_null(session.image))
      .raw("imageId", text_or_null(session.image_id))
      .raw("title", text_or_null(session.title))
      .raw("cause", text_or_null(session.cause))
      .number("lastSequence", session.last_sequence)
      .take();
}

}  // namespace relay
