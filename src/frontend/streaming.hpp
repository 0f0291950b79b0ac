// Streams a client's outbox over HTTP: as server-sent events or as lines.
#pragma once

#include "http/server.hpp"
#include "session/outbox.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace relay::frontend {

// What is gathered for one write to a stream.
constexpr std::size_t kStreamWriteBytes = 256u << 10;

enum class StreamFormat { kEvents, kLines };

// A feed has no end of its own, so it ends with its reader's sending side; a turn is awaited by who
// has said all.
struct StreamOptions {
  StreamFormat format = StreamFormat::kEvents;
  http::HalfClosed half_closed = http::HalfClosed::kIsGone;
};

http::Response stream_head(StreamFormat format);

// What is written for one message.
std::string stream_text(StreamFormat format, const Delivery& delivery);

// Writes the head, then everything that comes into the outbox, until `is_last` says so of a
// message, the outbox ends, or the peer goes away. Silent streams of events get a comment every
// `keep_alive`.
Task<void> stream_outbox(http::Exchange& exchange, std::shared_ptr<Outbox> outbox,
                         StreamOptions options, std::chrono::milliseconds keep_alive,
                         std::function<bool(const Delivery&)> is_last);

// Wakes the writer of the outbox `every` so often, so that a silent stream says something.
Task<void> poke_every(std::shared_ptr<Outbox> outbox, std::chrono::milliseconds every);

// Closes the outbox when the peer goes away, while what is returned lives.
std::unique_ptr<http::PeerWatch> watch_peer(http::Exchange& exchange,
                                            std::shared_ptr<Outbox> outbox,
                                            http::HalfClosed half_closed);

}  // namespace relay::frontend
