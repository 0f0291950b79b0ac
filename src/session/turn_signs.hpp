// What shows that an agent works on a prompt. Pure.
#pragma once

#include "protocol/frame.hpp"

#include <cstdint>
#include <string_view>

namespace relay {

// Whether the agent sends such a message only while it works on the prompt that it was asked with
// this id, in its session `agent_session` (JSON text). False where it may as well send it between
// turns: commands, settings and use of the context, extensions (mcp/message is asked for at any
// time), and all that child sessions say, which may go on behind the turn that began them.
bool shows_turn(const Frame& from_agent, std::string_view agent_session, std::int64_t prompt);

}  // namespace relay
