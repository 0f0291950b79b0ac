// RFC 6455 framing as values: bytes in, whole text messages out, and frame headers for what is
// sent.
//
// No I/O and no clock. A client's frames are masked and a server's are not; the decoder refuses
// what is not so. It keeps only what is incomplete, so an idle connection costs the size of the
// object. After close or failure it takes nothing more in. Sizes are bytes.
#pragma once

#include "http/websocket.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relay::http {

// An end of a connection.
enum class Side { kServer, kClient };

enum class Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

inline constexpr std::size_t kMaxFrameHeader = 14;
inline constexpr std::size_t kMaxControlPayload = 125;
inline constexpr std::size_t kMessageSlack =
    64;  // spare capacity of every message, for the JSON parser

struct PeerClose {
  std::optional<std::uint16_t> code;  // none: the close frame was empty
  std::string reason;
};

struct DecodeFailure {
  CloseCode code = CloseCode::kProtocolError;
  std::string explanation;
};

// What one or several calls of feed() found. The caller takes out what it has handled.
struct DecodedFrames {
  std::vector<std::string> messages;
  std::optional<std::string>
      ping;  // payload of the latest ping, which is the one that needs an answer
  bool pong = false;
  std::string pong_payload;  // of the latest pong that has one
  std::optional<PeerClose> close;
  std::optional<DecodeFailure> failure;
};

class WebSocketDecoder {
 public:
  // `sender` is the end whose frames are decoded.
  explicit WebSocketDecoder(std::size_t max_message_bytes, Side sender = Side::kClient)
      : max_message_bytes_(max_message_bytes), sender_(sender) {}

  // Decodes all of `bytes`, which are unmasked in place and so are garbage afterwards.
  void feed(std::span<char> bytes, DecodedFrames& out);

  // True when close or failure has been reported.
  bool ended() const { return ended_; }
  // What has come of a message that is not whole yet.
  std::size_t pending_bytes() const { return message_.size(); }
  // Forgets it; nothing more is taken in.
  void give_up();

 private:
  bool read_header(std::span<char>& bytes, DecodedFrames& out);
  bool begin_frame(DecodedFrames& out);
  void read_payload(std::span<char>& bytes);
  bool end_frame(DecodedFrames& out);
  bool end_message(DecodedFrames& out);
  bool end_control(DecodedFrames& out);
  bool end_close(DecodedFrames& out);
  bool fail(DecodedFrames& out, CloseCode code, std::string explanation);
  void reserve_message(std::size_t more);
  bool is_control() const { return (static_cast<unsigned>(opcode_) & 0x8) != 0; }

  std::size_t max_message_bytes_;
  Side sender_;
  std::array<unsigned char, kMaxFrameHeader> header_{};
  std::uint8_t header_have_ = 0;
  bool in_payload_ = false;
  bool fin_ = false;
  bool in_message_ = false;  // a message has begun and its last fragment has not ended
  bool binary_ = false;      // the message was announced as binary
  bool ended_ = false;
  Opcode opcode_ = Opcode::kText;
  std::array<unsigned char, 4> mask_{};
  std::uint64_t remaining_ = 0;      // payload bytes of the frame that have not come
  std::uint64_t frame_offset_ = 0;   // payload bytes of the frame that have come
  std::uint64_t message_bytes_ = 0;  // of the message, with the announced size of the current frame
  std::string message_;
  std::string control_;
};

// XORs `bytes` with `mask`; `offset` is the position of the first byte in the frame's payload.
void apply_mask(std::span<char> bytes, const std::array<unsigned char, 4>& mask,
                std::uint64_t offset);

// Writes the header of an unmasked, final frame; returns its size (2, 4 or 10).
std::size_t encode_frame_header(std::span<char, 10> out, Opcode opcode,
                                std::uint64_t payload_bytes);

// Appends one whole final frame; masked (a client's) when `mask` is given.
void append_frame(std::string& out, Opcode opcode, std::string_view payload,
                  const std::optional<std::array<unsigned char, 4>>& mask = std::nullopt);

// A close frame; the reason is cut to what fits, at a character's boundary.
void append_close_frame(std::string& out, CloseCode code, std::string_view reason,
                        const std::optional<std::array<unsigned char, 4>>& mask = std::nullopt);

// True for codes that may stand in a close frame (RFC 6455 section 7.4).
bool is_valid_close_code(std::uint16_t code);

}  // namespace relay::http
