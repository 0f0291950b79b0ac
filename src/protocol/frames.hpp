// The messages in one text of a WebSocket client. It is one message, on one line or on several;
// some clients end it with a line feed, or send several messages in one text, a line each.
#pragma once

#include "protocol/frame.hpp"

#include <boost/container/small_vector.hpp>

#include <cstddef>
#include <string>

namespace relay {

using Frames = boost::container::small_vector<tl::expected<Frame, FrameError>, 1>;

// A text with more messages is refused as one: each costs memory and an answer beyond its bytes.
inline constexpr std::size_t kMostFrames = 1000;

// At least one, in their order; of several each is good or bad by itself.
Frames parse_frames(std::string text, const FrameLimits& limits);

}  // namespace relay
