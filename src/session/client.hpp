// What a session knows of a client.
#pragma once

#include "base/strong_id.hpp"
#include "protocol/rpc.hpp"

#include <cstdint>
#include <limits>

namespace relay {

// One attachment of one client to one session; never used again in a process. 0 is nobody.
using ClientId = StrongId<struct ClientIdTag, std::uint64_t>;
// Stands for the clients of an earlier run of the relay: none of them can be told anything.
inline const ClientId kGoneClient{std::numeric_limits<std::uint64_t>::max()};

struct ClientTraits {
  // May prompt and use any other method. An observer only watches.
  bool may_act = true;
  // Can answer requests of the agent: false for a caller that only waits for one answer.
  bool can_answer = true;
  // Is shown only what belongs to turns that it started: the caller of one prompt.
  bool own_turns_only = false;
  // May know requests that ACP does not, and refuses those that it does not know. False: who reads
  // a stream over HTTP and answers by another request, if at all.
  bool knows_extensions = true;
  // How errors that the relay answers it with are numbered.
  rpc::Dialect dialect = rpc::Dialect::kRelay;
};

}  // namespace relay
