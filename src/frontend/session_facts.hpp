// What the answers of both dialects say of a session in the same way. Pure.
#pragma once

#include "session/session.hpp"

#include <string>

namespace relay::frontend {

// JSON text: {"upstreams": [...], "carrier": "...", "connect": [...]}; empty: its agent reaches
// nothing through the relay.
std::string egress_of(const Session& session);

}  // namespace relay::frontend
