// The trace that an HTTP request is part of, by its headers `traceparent` and `tracestate`: agents
// have no headers, so it goes into the `_meta` of the message in the body, where ACP has it. Pure.
#pragma once

#include "http/message.hpp"
#include "protocol/frame.hpp"

#include <string>

namespace relay::frontend {

// See trace_members(); empty: the headers name no valid trace, or more than one. A tracestate of
// more than 512 bytes is left out, as the standard allows.
std::string trace_members_of(const http::Headers& headers);

// The request with the trace of its headers, when it has none of its own. It is parsed once more
// then; without headers it is given back as it is.
Frame with_trace_of(const http::Headers& headers, Frame frame, const FrameLimits& limits);

}  // namespace relay::frontend
