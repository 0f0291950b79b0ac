// The rows of the log as values.
#pragma once

#include "base/strong_id.hpp"
#include "base/time.hpp"
#include "protocol/shared_bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace relay::storage {

// Position of a message in its session's stream: 1, 2, 3 ... without holes.
using Sequence = std::int64_t;

// Who made a message.
enum class Origin { kClient = 0, kAgent = 1, kRelay = 2 };

enum class MessageKind { kRequest = 0, kResponse = 1, kNotification = 2 };

struct MessageRecord {
  Sequence sequence = 0;
  Origin origin = Origin::kAgent;
  MessageKind kind = MessageKind::kNotification;
  bool to_client = false;  // who it was for: derives `direction` together with origin
  std::string method;      // empty for responses
  std::string rpc_id;      // the JSON text of the id (1, "a"), empty for notifications
  SharedBytes body;        // one JSON message, secrets already replaced, relay session ids
  WallTime time;
};

struct SessionRecord {
  SessionId id;
  std::string agent_session_id;
  std::string owner;  // principal that made it; empty when no authentication is in force
  std::string working_directory;
  std::string isolation;  // "process" or "container"
  std::string title;
  WallTime created_at;
  std::optional<WallTime> closed_at;
  std::string cause;  // why it was closed; empty while open
  Sequence last_sequence = 0;
};

}  // namespace relay::storage
