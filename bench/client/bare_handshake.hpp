// The handshake of an agent that is reached through pipes: initialize and session/new, each
// answered before the next. Ends the program when the agent does not answer.
#pragma once

#include "common/child.hpp"

namespace relay::bench {

void shake_hands(const Child& child);

}  // namespace relay::bench
