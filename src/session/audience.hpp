// Whom a message of a session is for, and what one client gets of it. Pure: the router decides the
// first, and everybody who delivers asks share_of() for the second.
#pragma once

#include "session/client.hpp"
#include "session/outbox.hpp"
#include "storage/records.hpp"

#include <cstdint>

namespace relay {

struct Audience {
  ClientId only;       // nobody (0): everyone who watches the session ...
  ClientId except{};   // ... but this one, which has the message in another form
  ClientId turn_of{};  // whose turn was running: all that clients with own_turns_only are shown
};

// A client, and how far it is in the session's stream.
struct Receiver {
  ClientId id;
  bool own_turns_only = false;
  bool feed = false;               // is shown the answers to others, too
  bool live = true;                // has caught up; what comes before is read from the log
  storage::Sequence replayed = 0;  // up to here it has the stream from the log
};

enum class Share : std::uint8_t {
  kNothing,
  kMessage,
  kLater,    // an answer, which has its place in the replay
  kOwnForm,  // nothing now, and nothing when the replay comes to it
};

Share share_of(const Audience& audience, const Delivery& delivery, const Receiver& receiver);

}  // namespace relay
