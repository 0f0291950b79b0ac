// One WebSocket connection, server side: whole text messages in, whole text messages out.
//
// Framing is our own pure codec (http/websocket_codec.hpp), so that everything that has arrived
// comes out of one read and everything that is ready goes out in one write; Beast does the HTTP
// upgrade only.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relay::http {

struct WebSocketOptions {
  std::size_t max_message_bytes = 32u << 20;  // over it: close 1009
  std::chrono::milliseconds ping_interval{20'000};
  std::chrono::milliseconds pong_deadline{
      20'000};  // after a ping; missed: the connection is dropped
};

// Close codes of RFC 6455 section 7.4.1, and of its registry, that this relay sends.
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kInvalidData = 1007,
  kPolicy = 1008,
  kTooBig = 1009,
  kInternal = 1011,
  kTryAgainLater = 1013,
};

// One reader coroutine (receive) and one writer coroutine (send, close) at a time.
class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // Every text message completed by what has arrived: at least one; empty when the connection is
  // over (closed by the peer, by close(), by a protocol error, or lost). Each string has 64 bytes
  // of spare capacity. Fragments are joined, pings answered, bad UTF-8 closes with 1007. A binary
  // message is taken when it is UTF-8, for some clients send their text so, and ignored otherwise.
  virtual Task<std::vector<std::string>> receive() = 0;

  // Sends the messages, one text frame each, with as few system calls as possible.
  virtual Task<Result<void>> send(std::span<const std::string_view> messages) = 0;

  // Sends a close frame (after what is being sent) and ends reading soon after, whether or not the
  // peer answers. Idempotent.
  virtual Task<void> close(CloseCode code, std::string reason) = 0;

  // The peer has said its last word, or is lost: looked for now, also while nobody reads. What came
  // before can still be received.
  virtual bool peer_has_gone() const = 0;

  virtual const std::string& peer() const = 0;
};

}  // namespace relay::http
