#include "session/replay_view.hpp"

#include "protocol/acp.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"

namespace relay {

bool is_replayed(const storage::MessageRecord& message, bool feed) {
  if (!message.to_client) return false;
  return message.kind == storage::MessageKind::kNotification ||
         (feed && message.kind == storage::MessageKind::kResponse);
}

DeliveryKind delivery_kind(const storage::MessageRecord& message) {
  switch (message.kind) {
    case storage::MessageKind::kRequest:
      return DeliveryKind::kRequest;
    case storage::MessageKind::kResponse:
      return DeliveryKind::kResponse;
    case storage::MessageKind::kNotification:
      break;
  }
  return message.method == acp::kUpdate ? DeliveryKind::kUpdate : DeliveryKind::kNotification;
}

SharedBytes gap_notice(const SessionId& session, const storage::Gap& gap) {
  const std::string params = JsonObject()
                                 .text("sessionId", session.value())
                                 .number("from", gap.from)
                                 .number("to", gap.to)
                                 .take();
  return SharedBytes(rpc::notification(acp::kGap, params));
}

}  // namespace relay
