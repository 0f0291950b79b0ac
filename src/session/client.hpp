// What a session knows of a client.
#pragma once

#include "base/strong_id.hpp"

#include <cstdint>

namespace relay {

// One attachment of one client to one session; never used again in a process. 0 is nobody.
using ClientId = StrongId<struct ClientIdTag, std::uint64_t>;

struct ClientTraits {
  // May prompt and use any other method. An observer only watches.
  bool may_act = true;
  // Can answer requests of the agent: false for a caller that only waits for one answer.
  bool can_answer = true;
  // Is shown only what belongs to turns that it started: the caller of one prompt.
  bool own_turns_only = false;
};

}  // namespace relay
