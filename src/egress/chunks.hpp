// A body in the framing of its message, while it is passed on. Pure.
#pragma once

#include "http/message.hpp"

#include <string>

namespace relay::egress {

enum class BodyFraming { kPlain, kChunked };  // kPlain: by its length, or until the end

// The bytes of a message for the next part of its body; nothing for an empty part.
std::string framed(std::string part, BodyFraming framing);

// What stands behind the last part.
std::string end_of_body(const http::Headers& trailers, BodyFraming framing);

}  // namespace relay::egress
