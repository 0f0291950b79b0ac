// Stored sessions and messages as the JSON objects that lists, histories and exports show. Pure.
//
// Field names are those of earlier acp-relay servers; `sequence`, `isolation`, `title`, `cause` and
// `lastSequence` are additions. What is not known is null, never left out.
#pragma once

#include "storage/message_log.hpp"

#include <string>
#include <string_view>

namespace relay {

// "client_to_relay", "agent_to_relay", "relay_to_client" or "relay_to_agent".
std::string_view direction(const storage::MessageRecord& message);

// "request", "response" or "notification".
std::string_view message_type(storage::MessageKind kind);

// {"id", "direction", "messageType", "method", "jsonrpcId", "rawMessage", "timestamp", "sequence"}.
// `id` is the sequence number, `jsonrpcId` the id itself (1 or "a"), `rawMessage` a string.
std::string history_item(const storage::MessageRecord& message);

// How a list writes its times: RFC 3339 with milliseconds, or as earlier acp-relay servers did.
enum class TimeForm { kRfc3339, kSql };

// {"id", "agentSessionId", "workingDirectory", "createdAt", "closedAt", "isActive", "isolation",
// "image", "imageId", "title", "cause", "lastSequence"}.
std::string session_item(const storage::SessionRecord& session, bool is_active,
                         TimeForm form = TimeForm::kRfc3339);

}  // namespace relay
