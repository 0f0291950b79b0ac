// What a request asks the model for, and what it gets. Pure functions over text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relay::bench {

/// One chunk of a chunked body: a server-sent event of `bytes` bytes, 8 at least.
std::string event_chunk(std::size_t bytes);

/// The number behind `name=` in a target's query; 0 when there is none.
std::size_t number_in(std::string_view target, std::string_view name);

/// The length of the body that follows `head`, as its Content-Length says; 0 without one.
std::size_t body_bytes(std::string head);

}  // namespace relay::bench
