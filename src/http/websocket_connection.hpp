// One end of a WebSocket, on a transport that somebody else owns: the server's HTTP connection, or
// a WebSocketClient.
//
// Frames leave in whole batches from one writer; control frames that become due meanwhile wait in
// `control_` and leave between two batches, so that they never cut a message. Time comes from
// tick(), which the server calls for all its connections from one timer.
#pragma once

#include "http/body_budget.hpp"
#include "http/body_pace.hpp"
#include "http/scratch.hpp"
#include "http/transport.hpp"
#include "http/websocket.hpp"
#include "http/websocket_codec.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>

namespace relay::http {

// Why a WebSocket is over.
struct WebSocketEnd {
  enum class Kind {
    kOpen,           // it is not over
    kClosedByPeer,   // `code` and `reason` are the peer's; no code: its close frame was empty
    kProtocolError,  // what the peer sent was no valid message; `code` and `reason` were sent to it
    kSilent,         // a ping was not answered in time
    kNotClosed,      // our close was not answered in time
    kLost,           // the connection broke, or ended without a close frame
  };
  Kind kind = Kind::kOpen;
  std::optional<std::uint16_t> code;
  std::string reason;
};

// What a server asks of a client's message while it comes. `budget` (null: without a limit)
// outlives the connection.
struct IncomingLimits {
  BodyPace pace;                 // missed: close 1008
  BodyBudget* budget = nullptr;  // without room in it: close 1013
};

class WebSocketConnection final : public WebSocket {
 public:
  using Clock = std::chrono::steady_clock;

  // `transport`, `scratch` and `options` outlive the object. A client's side does not use `limits`.
  WebSocketConnection(Transport& transport, Scratch& scratch, const WebSocketOptions& options,
                      std::string peer, Side role, IncomingLimits limits = {});

  Task<std::vector<std::string>> receive() override;
  Task<Result<void>> send(std::span<const std::string_view> messages) override;
  Task<void> close(CloseCode code, std::string reason) override;
  bool peer_has_gone() const override { return lost_ || peer_closed_ || transport_.has_hung_up(); }
  const std::string& peer() const override { return peer_; }

  // Sends a ping; last_pong() is its payload when everything before it has arrived at the peer.
  void ping(std::string_view payload) { queue_control(Opcode::kPing, payload); }
  // The payload of the latest pong that had one.
  const std::string& last_pong() const { return decoded_.pong_payload; }
  const WebSocketEnd& end() const { return end_; }

  // Bytes that came together with the upgrade request.
  void feed(std::span<char> bytes);
  // Sends pings, notices missed pongs and closes that are not answered. While nobody reads, and
  // nothing is being written, the peer's silence is not counted; it begins anew when somebody
  // reads.
  void tick(Clock::time_point now);
  // close() without a coroutine; nothing when the connection is closing already.
  void begin_close(CloseCode code, std::string_view reason);
  // Ends the connection in good order, in bounded time. Nobody may send or receive any more.
  Task<void> finish();
  // The same without waiting.
  void abandon();

 private:
  void pump();
  void settle();
  void count_pending();
  void give_up_message(CloseCode code, std::string_view reason);
  Clock::time_point message_deadline() const;
  void queue_control(Opcode opcode, std::string_view payload);
  void flush_control();
  void lose(WebSocketEnd::Kind kind = WebSocketEnd::Kind::kLost);
  void note_end(WebSocketEnd end);
  std::optional<std::array<unsigned char, 4>> mask() const;
  std::size_t encode(std::span<const std::string_view> messages, std::string& out);
  bool drain_now();

  Transport& transport_;
  Scratch& scratch_;
  const WebSocketOptions& options_;
  std::string peer_;
  Side role_;
  BodyPace pace_;
  WebSocketDecoder decoder_;
  BodyBudget::Share pending_;  // what the decoder holds
  DecodedFrames decoded_;
  // How long the rest of a message was waited for, without the time in which nobody read.
  Clock::duration waited_{};
  Clock::time_point waiting_since_;  // epoch: nobody waits for the rest of a message
  WebSocketEnd end_;
  std::string control_;  // encoded control frames that have not been written
  IoState wait_for_ = IoState::kWaitRead;
  bool more_;  // has come than was read; the socket need not tell of it
  bool reading_ = false;
  bool began_to_read_ = false;  // since the last tick
  bool writing_ = false;
  bool close_queued_ = false;  // our close frame is in control_ or written
  bool peer_closed_ = false;   // the peer's close frame, or nonsense, ended its messages
  bool lost_ = false;          // no more I/O
  bool ping_due_answer_ = false;
  Clock::time_point heard_at_;  // bytes came, or a blocked write went on
  bool heard_ = false;          // the same, since the last tick
  Clock::time_point pinged_at_;
  Clock::time_point close_deadline_;
};

}  // namespace relay::http
