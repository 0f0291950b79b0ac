// One client connection: non-blocking, with its framing, and with a buffer each way.
// Errors of any kind end the program: a benchmark with a failed client has no result.
#pragma once

#include "client/framing.hpp"
#include "common/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::bench {

class Connection {
 public:
  /// Connects to 127.0.0.1 and, for WebSocket, does the handshake. Blocks until done.
  Connection(Framing framing, std::uint16_t port);

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] Framing framing() const { return framing_; }
  [[nodiscard]] bool wants_write() const { return !unsent_.empty(); }

  /// `framed` must stay as it is until flush().
  void queue(std::string_view framed) { queued_.push_back(framed); }
  /// Everything queued in one write; what the socket does not take is kept for the next flush.
  void flush();

  /// One read; calls `on_message(std::string_view json)` for each message that is complete.
  /// Of a message in several WebSocket frames only the last frame's payload is given.
  template <typename OnMessage>
  void receive(OnMessage&& on_message) {
    if (!read_some()) return;
    std::size_t at = 0;
    for (;;) {
      const std::string_view bytes(buffer_.data() + at, used_ - at);
      const Decoded decoded = decode(framing_, bytes, at == 0 ? searched_ : 0);
      if (decoded.kind == Decoded::Kind::kIncomplete) break;
      if (decoded.kind == Decoded::Kind::kMessage) {
        on_message(decoded.payload);
      } else {
        handle_other(decoded);
      }
      at += decoded.consumed;
      searched_ = 0;
    }
    drop_front(at);
  }

  /// Sends a request and waits for its result (the whole response). Other messages are skipped.
  std::string call(std::string_view method, std::string_view params);

  /// The second half of call(), for a request that was queued and flushed: sends what is left of it
  /// and waits for its result.
  std::string answer(std::uint64_t id);

 private:
  bool read_some();
  void drop_front(std::size_t size);
  void handle_other(const Decoded& decoded);
  void wait_for(short events) const;
  void upgrade(std::uint16_t port);

  Fd socket_;
  Framing framing_;
  std::vector<std::string_view> queued_;
  std::string unsent_;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::size_t searched_ = 0;  // bytes at the front that were seen before without a message's end
  std::uint64_t last_call_id_ = 1'000'000'000;  // apart from the ids of the measured requests
};

}  // namespace relay::bench
