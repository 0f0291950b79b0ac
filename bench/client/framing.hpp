// The three ways a JSON message travels: as a line (the floor), as a masked WebSocket text frame,
// as the body of an HTTP POST. Pure functions over bytes; only what the benchmark meets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay::bench {

enum class Framing { kLines, kWebSocket, kHttp };

/// The bytes to send; `method` names the HTTP path (`session/new` is posted to /session/new).
std::string frame(Framing framing, std::string_view method, std::string_view json);

/// A masked pong with the ping's payload (at most 125 bytes).
std::string pong_frame(std::string_view payload);

/// The request that turns a TCP connection into a WebSocket.
std::string upgrade_request(std::uint16_t port);

struct Decoded {
  enum class Kind {
    kIncomplete,  // more bytes are needed
    kMessage,     // a whole message, or the last part of one
    kPart,        // a part of a message that goes on
    kPing,
    kIgnored,  // a pong
    kClosed,   // the peer says good-bye; payload is its reason
    kBroken,   // not what was expected; payload says what came
  };
  Kind kind = Kind::kIncomplete;
  std::string_view payload;  // points into the given bytes
  std::size_t consumed = 0;
};

/// Looks at the beginning of `bytes`. The first `searched` bytes were looked at before without
/// finding an end.
Decoded decode(Framing framing, std::string_view bytes, std::size_t searched);

}  // namespace relay::bench
