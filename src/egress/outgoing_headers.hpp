// The headers of a request as they leave the relay, and those of its answer as they reach the
// agent. Pure.
//
// Of a request, what belongs to the connection goes (RFC 9110, 7.6.1), the agent's own credentials
// go, and the upstream's credential and Host come. Nothing else is touched, not even its order.
#pragma once

#include "egress/access.hpp"
#include "egress/upstream.hpp"
#include "http/message.hpp"

#include <string_view>

namespace relay::egress {

// Whether the request asks for a WebSocket, whose upgrade is passed on.
bool wants_websocket(const http::Headers& headers);

http::Headers outgoing_headers(const http::Headers& sent, const Upstream& upstream,
                               std::string_view credential);

// The passage's target with the credential, where it stands there.
std::string outgoing_target(const Passage& passage, std::string_view credential);

http::Headers answered_headers(const http::Headers& received);

}  // namespace relay::egress
