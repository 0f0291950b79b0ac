// A denial as an HTTP answer that the clients of every provider show to their user. Pure.
#pragma once

#include "egress/access.hpp"
#include "http/message.hpp"

namespace relay::egress {

// The body is {"type": "error", "error": {"type", "code", "message", "key", "remedy"}}: clients of
// Anthropic's, OpenAI's and Gemini's APIs all look for error.message.
http::Response answer_to(const Denial& denial);

}  // namespace relay::egress
