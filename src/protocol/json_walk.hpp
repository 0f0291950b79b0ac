// Walks a whole JSON text once, checks it completely, and finds the parts of a JSON-RPC message in
// it. simdjson's on-demand parser does not check what it skips; here nothing is skipped.
#pragma once

#include "protocol/frame.hpp"

#include <string>

namespace relay::json_walk {

// `bytes` must have Frame::kPadding readable bytes after its end.
tl::expected<Envelope, FrameError> locate(const std::string& bytes, const FrameLimits& limits);

}  // namespace relay::json_walk
