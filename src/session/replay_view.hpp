// What a client that comes later is shown of a session's past. Pure.
#pragma once

#include "protocol/shared_bytes.hpp"
#include "session/outbox.hpp"
#include "storage/message_log.hpp"

namespace relay {

// Everything that everyone was shown. Requests of the agent are either answered, or shown when the
// client has caught up; answers belong to who asked, and only a feed of everything has them.
bool is_replayed(const storage::MessageRecord& message, bool feed);

DeliveryKind delivery_kind(const storage::MessageRecord& message);

// The notification that says which messages are missing.
SharedBytes gap_notice(const SessionId& session, const storage::Gap& gap);

}  // namespace relay
