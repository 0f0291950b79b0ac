// Where a forked session leaves the one that it was forked from.
#pragma once

#include "base/strong_id.hpp"
#include "storage/records.hpp"

#include <string>

namespace relay {

struct ForkPoint {
  SessionId session;
  std::string agent_session;  // the agent's id of it, as spelled
  // The last message that both have, under the same number.
  storage::Sequence until = 0;
};

}  // namespace relay
