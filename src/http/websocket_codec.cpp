#include "http/websocket_codec.hpp"

#include "http/sizes.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace relay::http {

namespace {

std::size_t header_size(unsigned char second) {
  const unsigned length = second & 0x7f;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + extended + ((second & 0x80) != 0 ? 4 : 0);
}

std::uint64_t big_endian(const unsigned char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace

void apply_mask(std::span<char> bytes, const std::array<unsigned char, 4>& mask,
                std::uint64_t offset) {
  std::array<unsigned char, 8> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(offset + i) & 3];
  std::uint64_t word_mask = 0;
  std::memcpy(&word_mask, turned.data(), sizeof word_mask);
  char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof word_mask; at += sizeof word_mask, left -= sizeof word_mask) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    word ^= word_mask;
    std::memcpy(at, &word, sizeof word);
  }
  for (std::size_t i = 0; i < left; ++i) {
    at[i] = static_cast<char>(static_cast<unsigned char>(at[i]) ^ turned[i]);
  }
}

void WebSocketDecoder::feed(std::span<char> bytes, DecodedFrames& out) {
  while (!ended_) {
    if (!in_payload_) {
      if (!read_header(bytes, out)) return;
    }
    read_payload(bytes);
    if (remaining_ > 0) return;
    in_payload_ = false;
    if (!end_frame(out)) return;
  }
}

// True when a whole header is there and is valid.
bool WebSocketDecoder::read_header(std::span<char>& bytes, DecodedFrames& out) {
  const auto take = [&](std::size_t wanted) {
    const std::size_t count = std::min(wanted - header_have_, bytes.size());
    std::memcpy(header_.data() + header_have_, bytes.data(), count);
    header_have_ = static_cast<std::uint8_t>(header_have_ + count);
    bytes = bytes.subspan(count);
    return header_have_ == wanted;
  };
  if (header_have_ < 2 && !take(2)) return false;
  if (!take(header_size(header_[1]))) return false;
  header_have_ = 0;
  return begin_frame(out);
}

bool WebSocketDecoder::begin_frame(DecodedFrames& out) {
  const unsigned char first = header_[0];
  const unsigned char second = header_[1];
  const auto protocol_error = [&](const char* explanation) {
    return fail(out, CloseCode::kProtocolError, explanation);
  };
  if ((first & 0x70) != 0) return protocol_error("a reserved bit is set; no extension is in use");
  const bool is_masked = (second & 0x80) != 0;
  if (sender_ == Side::kClient && !is_masked) {
    return protocol_error("a client's frames must be masked");
  }
  if (sender_ == Side::kServer && is_masked) {
    return protocol_error("a server's frames must not be masked");
  }
  fin_ = (first & 0x80) != 0;
  opcode_ = static_cast<Opcode>(first & 0x0f);

  const unsigned short_length = second & 0x7f;
  const unsigned char* at = header_.data() + 2;
  std::uint64_t length = short_length;
  if (short_length == 126) {
    length = big_endian(at, 2);
    at += 2;
    if (length < 126) return protocol_error("the length is not in its shortest form");
  } else if (short_length == 127) {
    length = big_endian(at, 8);
    at += 8;
    if (length >> 63 != 0) return protocol_error("the length has its highest bit set");
    if (length <= 0xffff) return protocol_error("the length is not in its shortest form");
  }
  if (is_masked) std::memcpy(mask_.data(), at, mask_.size());
  remaining_ = length;
  frame_offset_ = 0;
  in_payload_ = true;

  switch (opcode_) {
    case Opcode::kContinuation:
      if (!in_message_) return protocol_error("a continuation frame without a message to continue");
      break;
    case Opcode::kText:
    case Opcode::kBinary:
      if (in_message_) return protocol_error("a message begins inside another one");
      in_message_ = true;
      binary_ = opcode_ == Opcode::kBinary;
      message_bytes_ = 0;
      break;
    case Opcode::kClose:
    case Opcode::kPing:
    case Opcode::kPong:
      if (!fin_) return protocol_error("a control frame is fragmented");
      if (length > kMaxControlPayload) return protocol_error("a control frame is over 125 bytes");
      control_.clear();
      return true;
    default:
      return protocol_error("unknown opcode");
  }
  if (length > max_message_bytes_ - message_bytes_) {
    return fail(
        out, CloseCode::kTooBig,
        "the message is over the limit of " + std::to_string(max_message_bytes_) + " bytes");
  }
  message_bytes_ += length;
  return true;
}

void WebSocketDecoder::read_payload(std::span<char>& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
  const std::span<char> part = bytes.first(count);
  bytes = bytes.subspan(count);
  if (sender_ == Side::kClient) apply_mask(part, mask_, frame_offset_);
  if (is_control()) {
    control_.append(part.data(), part.size());
  } else {
    reserve_message(count);
    message_.append(part.data(), part.size());
  }
  frame_offset_ += count;
  remaining_ -= count;
}

// One allocation for a message of one frame that is not huge; doubling beyond that.
void WebSocketDecoder::reserve_message(std::size_t more) {
  const std::size_t needed = message_.size() + more + kMessageSlack;
  if (needed <= message_.capacity()) return;
  const std::size_t announced = static_cast<std::size_t>(message_bytes_) + kMessageSlack;
  std::size_t target = std::min(announced, std::max(kTrustedReserve, 2 * needed));
  if (!fin_) target = std::max(target, std::min(2 * needed, max_message_bytes_ + kMessageSlack));
  message_.reserve(std::max(target, needed));
}

bool WebSocketDecoder::end_frame(DecodedFrames& out) {
  if (is_control()) return end_control(out);
  return !fin_ || end_message(out);
}

bool WebSocketDecoder::end_message(DecodedFrames& out) {
  in_message_ = false;
  if (!is_utf8(message_)) {
    if (binary_) {
      message_.clear();
      return true;
    }
    return fail(out, CloseCode::kInvalidData, "a text message is not valid UTF-8");
  }
  if (message_.capacity() < message_.size() + kMessageSlack) {
    message_.reserve(message_.size() + kMessageSlack);
  }
  out.messages.push_back(std::move(message_));
  message_ = std::string();
  return true;
}

bool WebSocketDecoder::end_control(DecodedFrames& out) {
  if (opcode_ == Opcode::kClose) return end_close(out);
  if (opcode_ == Opcode::kPing) {
    out.ping = control_;
  } else {
    out.pong = true;
    if (!control_.empty()) out.pong_payload = control_;
  }
  return true;
}

bool WebSocketDecoder::end_close(DecodedFrames& out) {
  PeerClose close;
  if (control_.size() == 1) {
    return fail(out, CloseCode::kProtocolError, "a close frame with half a code");
  }
  if (!control_.empty()) {
    const auto* raw = reinterpret_cast<const unsigned char*>(control_.data());
    close.code = static_cast<std::uint16_t>(big_endian(raw, 2));
    if (!is_valid_close_code(*close.code)) {
      return fail(out, CloseCode::kProtocolError, "a close code that must not be sent");
    }
    close.reason = control_.substr(2);
    if (!is_utf8(close.reason)) {
      return fail(out, CloseCode::kInvalidData, "a close reason is not valid UTF-8");
    }
  }
  ended_ = true;
  out.close = std::move(close);
  return false;
}

void WebSocketDecoder::give_up() {
  ended_ = true;
  message_ = std::string();
}

bool WebSocketDecoder::fail(DecodedFrames& out, CloseCode code, std::string explanation) {
  give_up();
  out.failure = DecodeFailure{code, std::move(explanation)};
  return false;
}

std::size_t encode_frame_header(std::span<char, 10> out, Opcode opcode,
                                std::uint64_t payload_bytes) {
  out[0] = static_cast<char>(0x80u | static_cast<unsigned>(opcode));
  if (payload_bytes <= 125) {
    out[1] = static_cast<char>(payload_bytes);
    return 2;
  }
  const std::size_t width = payload_bytes <= 0xffff ? 2 : 8;
  out[1] = static_cast<char>(width == 2 ? 126 : 127);
  for (std::size_t i = 0; i < width; ++i) {
    out[2 + i] = static_cast<char>(payload_bytes >> (8 * (width - 1 - i)) & 0xff);
  }
  return 2 + width;
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload,
                  const std::optional<std::array<unsigned char, 4>>& mask) {
  std::array<char, 10> header{};
  const std::size_t size = encode_frame_header(header, opcode, payload.size());
  if (mask) header[1] = static_cast<char>(static_cast<unsigned char>(header[1]) | 0x80u);
  out.append(header.data(), size);
  if (mask) out.append(reinterpret_cast<const char*>(mask->data()), mask->size());
  const std::size_t begin = out.size();
  out.append(payload);
  if (mask) apply_mask(std::span(out).subspan(begin), *mask, 0);
}

void append_close_frame(std::string& out, CloseCode code, std::string_view reason,
                        const std::optional<std::array<unsigned char, 4>>& mask) {
  std::size_t size = std::min(reason.size(), kMaxControlPayload - 2);
  if (size < reason.size()) {
    while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0) == 0x80) --size;
  }
  const auto number = static_cast<std::uint16_t>(code);
  std::string payload{static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
  payload.append(reason.substr(0, size));
  append_frame(out, Opcode::kClose, payload, mask);
}

bool is_valid_close_code(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace relay::http
