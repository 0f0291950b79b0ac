// The rows of the log as values.
#pragma once

#include "base/strong_id.hpp"
#include "base/time.hpp"
#include "protocol/output_position.hpp"
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
  // The relay's number for the call that a request begins and its response ends; 0: neither.
  std::int64_t call = 0;
  std::string peer_id;  // of an agent's request: its id as the agent spells it, JSON text
};

// How far a session's agent has come: what a relay has to know that goes on with it.
struct Progress {
  OutputPosition output;    // taken in, and in the log
  Sequence input = 0;       // the agent has been written all that was recorded up to here
  std::int64_t prompt = 0;  // call of the last prompt that was written to it
  bool any() const { return output.bytes > 0 || input > 0; }
  // What `later` says of either side stands.
  void advance(const Progress& later) {
    if (later.output.bytes > 0) output = later.output;
    if (later.input > input) input = later.input;
    if (later.prompt > prompt) prompt = later.prompt;
  }
};

struct SessionRecord {
  SessionId id;
  std::string agent_session_id;
  std::string owner;  // principal that made it; empty when no authentication is in force
  std::string working_directory;
  std::string isolation;  // "process" or "container"
  std::string title;
  std::string agent;           // name of the configured agent; empty for the default one
  std::string agent_profile;   // its answer to initialize, JSON text
  std::string agent_settings;  // its answer to session/new with the settings of now, JSON text
  std::string image;           // of its container, as configured then; empty for a process
  std::string image_id;        // what the container really has: "sha256:..."
  std::string upstream_use;    // see MessageLog::session_used()
  WallTime created_at;
  WallTime updated_at;  // of the last message or change; the log keeps it up by itself
  std::optional<WallTime> closed_at;
  std::string cause;  // why it was closed; of an open one: why it is not finished, else empty
  Sequence last_sequence = 0;
  Progress progress;  // kept up by MessageLog::record()
};

// Who does something: over what, and from where.
struct Actor {
  std::string principal;  // name of the token; empty when no authentication is in force
  std::string transport;  // empty: the relay itself
  std::string peer;       // address and port
};

// That somebody did something to a session. It outlives the session, and has nothing of what is
// said in it.
struct AuditRecord {
  std::int64_t number = 0;  // ascending, not without holes; given by the log
  WallTime time;
  SessionId session;
  std::string action;
  std::string detail;  // which option, mode or session; a few words of the relay
  Actor actor;
};

}  // namespace relay::storage
