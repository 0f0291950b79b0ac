// What went wrong with the Engine, as errors that say what to do. Pure.
#pragma once

#include "base/error.hpp"
#include "engine/values.hpp"
#include "http/client.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::engine {

// docker_not_available out of an error of the HTTP client, by its errno; with a cause and a remedy
// for each way not to reach an Engine. `during` is the call, "GET /info". An answer over its limit
// is internal_error.
Error unreachable(const Error& failure, const http::Endpoint& endpoint, std::string_view during);

// The connection of a stream ended before what it was for had come.
Error stream_lost(std::string_view address, std::string_view during);

// The Engine took a request and answered nothing in time.
Error too_slow(std::string_view address, std::string_view during);

// It answers GET /version, but not as an Engine does.
Error not_an_engine(const http::Endpoint& endpoint, int status, std::string_view message);

// A status that the call does not know: internal_error with the Engine's message, in state
// `engine_message` and `engine_status` too. `what` is what was asked: "remove a container".
Error call_failed(std::string_view address, std::string_view what, int status,
                  std::string_view message);

// A stream of events that can't be followed any further.
Error event_too_long(std::string_view address);

// No API version in common.
Error no_common_api(std::string_view address, const EngineVersion& engine);

Error image_missing(std::string_view image, std::string_view message);

// A pull that the Engine or the registry ended: docker_not_available when the registry can't be
// reached, image_not_found otherwise.
Error pull_failed(std::string_view image, std::string_view message);
Error pull_timed_out(std::string_view image, std::chrono::milliseconds limit);

// The container's `id` is none: it was not sent.
Error bad_name(std::string_view id);
Error bad_signal(std::string_view signal);

}  // namespace relay::engine
