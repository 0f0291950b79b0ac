// The token by which an agent that is a process of this host says who it is: other processes reach
// the port, too. It is sent as the agent would send its key. Pure.
#pragma once

#include "http/message.hpp"

#include <string_view>

namespace relay::egress {

// Whether the request has `token` where clients of providers put their key: Authorization with
// "Bearer", X-Api-Key, X-Goog-Api-Key, Api-Key, or "key" of the query. Takes as long for a wrong
// one as for the right one.
bool has_token(const http::Request& request, std::string_view token);

}  // namespace relay::egress
