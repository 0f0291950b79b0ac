// What the transport demands of a POST, as functions over values. Pure.
#pragma once

#include "http/message.hpp"
#include "protocol/frame.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace relay::frontend {

struct AcpRefusal {
  int status = 400;
  std::string explanation;
  std::string remedy;
};

// The configured agent that a path of this transport names: empty for /acp and its aliases, NAME
// for /agents/NAME/acp; nothing for other paths.
std::optional<std::string> acp_agent(std::string_view path, std::span<const std::string> aliases);

// Why the message can't be taken with these headers; empty: it can.
std::optional<AcpRefusal> refuse_message(const http::Request& request, const Frame& frame);

// Whether the id, as it is spelled in JSON, can be that of a session or of a child of one: nothing
// is sought or kept for others.
bool can_name_session(std::string_view id);

// The status for a body that is no message.
int refused_frame_status(FrameError::Kind kind);

// A token in the query ends up in logs and histories, so it is refused there.
bool has_token_in_query(const http::Request& request);

}  // namespace relay::frontend
