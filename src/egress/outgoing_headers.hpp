// The headers of a request as they leave the relay, and those of its answer as they reach the
// agent. Pure.
//
// Of a request, what is withheld goes (withheld.hpp), and the upstream's credential and Host come.
// Of an answer, what belongs to the connection goes, and so do cookies, which are a credential that
// the agent could not send. Nothing else is touched, not even its order.
#pragma once

#include "egress/access.hpp"
#include "egress/upstream.hpp"
#include "http/message.hpp"

#include <string>
#include <string_view>

namespace relay::egress {

// Whether the request asks for a WebSocket, whose upgrade is passed on.
bool wants_websocket(const http::Headers& headers);

// kReadable: the answer, or a WebSocket, is to say what was used so that it is read on its way
// (withheld.hpp).
enum class AnswerForm { kAsAsked, kReadable };

http::Headers outgoing_headers(const http::Headers& sent, const Upstream& upstream,
                               std::string_view credential, AnswerForm form);

// Behind a body that went out with `sent`: what may not stand in the head may not stand here.
http::Headers outgoing_trailers(const http::Headers& trailers, const http::Headers& sent,
                                const Upstream& upstream, AnswerForm form);

// The passage's target with the credential, where it stands there.
std::string outgoing_target(const Passage& passage, std::string_view credential, AnswerForm form);

// The same for trailers. In place of the credential, which a redirect may repeat, stands "***"
// (hidden_secret.hpp).
http::Headers answered_headers(const http::Headers& received, std::string_view credential);

}  // namespace relay::egress
