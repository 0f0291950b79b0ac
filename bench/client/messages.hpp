// The JSON that the load client sends and the little it must see of what comes back.
// The answers are those of known programs, so looking for text is enough and costs little.
#pragma once

#include "client/connection.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace relay::bench {

std::string make_request(std::uint64_t id, std::string_view method, std::string_view params);

/// A request of exactly `size` bytes where that is possible, with its text padded:
/// `_bench/echo` {sessionId, payload}, or `session/prompt` with one text block.
/// `prompt_member` is the name of the block list: `content` for the relay, `prompt` for an agent.
std::string make_echo(std::uint64_t id, std::string_view session_id, std::size_t size);
std::string make_prompt(std::uint64_t id, std::string_view session_id,
                        std::string_view prompt_member, std::size_t size);

/// The id of a successful response; 0 for a notification or a request. Ends the program on an
/// error response.
std::uint64_t response_id(std::string_view json);

/// Looks at the first bytes only.
bool is_update(std::string_view json);

/// A session of its own agent, made over `connection`: by session/new through the relay, or by the
/// agent's own handshake when lines go straight to it. Returns the session's id.
std::string open_session(Connection& connection);

}  // namespace relay::bench
