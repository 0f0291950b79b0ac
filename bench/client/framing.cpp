#include "client/framing.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace relay::bench {

namespace {

constexpr std::array<std::uint8_t, 4> kMask{0x37, 0xfa, 0x21, 0x3d};
constexpr std::uint8_t kText = 0x1;
constexpr std::uint8_t kClose = 0x8;
constexpr std::uint8_t kPing = 0x9;
constexpr std::uint8_t kPong = 0xa;
constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kMasked = 0x80;

void append_byte(std::string& out, std::size_t byte) { out += static_cast<char>(byte & 0xff); }

std::string masked_frame(std::uint8_t opcode, std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + 14);
  append_byte(out, kFinal | opcode);
  if (payload.size() < 126) {
    append_byte(out, kMasked | payload.size());
  } else if (payload.size() < 65536) {
    append_byte(out, kMasked | 126);
    append_byte(out, payload.size() >> 8);
    append_byte(out, payload.size());
  } else {
    append_byte(out, kMasked | 127);
    for (int shift = 56; shift >= 0; shift -= 8) append_byte(out, payload.size() >> shift);
  }
  for (const std::uint8_t byte : kMask) append_byte(out, byte);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    append_byte(out, static_cast<std::uint8_t>(payload[i]) ^ kMask[i % 4]);
  }
  return out;
}

std::string post_request(std::string_view method, std::string_view json) {
  std::string out = "POST /";
  out.append(method).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n");
  out.append("Content-Length: ").append(std::to_string(json.size())).append("\r\n\r\n");
  return out.append(json);
}

Decoded decode_line(std::string_view bytes, std::size_t searched) {
  const std::size_t end = bytes.find('\n', searched);
  if (end == std::string_view::npos) return {};
  return {Decoded::Kind::kMessage, bytes.substr(0, end), end + 1};
}

Decoded decode_websocket(std::string_view bytes) {
  if (bytes.size() < 2) return {};
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  std::size_t size = static_cast<std::uint8_t>(bytes[1]);
  std::size_t header = 2;
  if (size == 126 || size == 127) {
    header += size == 126 ? 2 : 8;
    if (bytes.size() < header) return {};
    size = 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  if (bytes.size() < header + size) return {};
  const std::string_view payload = bytes.substr(header, size);
  const std::size_t consumed = header + size;
  const auto opcode = static_cast<std::uint8_t>(first & 0x0f);
  if (opcode == kPing) return {Decoded::Kind::kPing, payload, consumed};
  if (opcode == kPong) return {Decoded::Kind::kIgnored, payload, consumed};
  if (opcode == kClose) return {Decoded::Kind::kClosed, payload, consumed};
  const bool last = (first & kFinal) != 0;
  return {last ? Decoded::Kind::kMessage : Decoded::Kind::kPart, payload, consumed};
}

Decoded decode_http(std::string_view bytes) {
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return {};
  std::string head(bytes.substr(0, head_end + 2));
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view kLength = "\r\ncontent-length:";
  const std::size_t field = head.find(kLength);
  if (field == std::string::npos) return {Decoded::Kind::kBroken, bytes.substr(0, head_end), 0};
  const std::size_t digits = head.find_first_not_of(' ', field + kLength.size());
  std::size_t size = 0;
  std::from_chars(head.data() + digits, head.data() + head.size(), size);
  const std::size_t consumed = head_end + 4 + size;
  if (bytes.size() < consumed) return {};
  if (!head.starts_with("http/1.1 200")) {
    return {Decoded::Kind::kBroken, bytes.substr(0, consumed), 0};
  }
  return {Decoded::Kind::kMessage, bytes.substr(head_end + 4, size), consumed};
}

}  // namespace

std::string frame(Framing framing, std::string_view method, std::string_view json) {
  if (framing == Framing::kWebSocket) return masked_frame(kText, json);
  if (framing == Framing::kHttp) return post_request(method, json);
  return std::string(json) + "\n";
}

std::string pong_frame(std::string_view payload) { return masked_frame(kPong, payload); }

std::string upgrade_request(std::uint16_t port) {
  return "GET / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: YmVuY2gtYmVuY2gtYmVuYw==\r\nSec-WebSocket-Version: 13\r\n\r\n";
}

Decoded decode(Framing framing, std::string_view bytes, std::size_t searched) {
  if (framing == Framing::kWebSocket) return decode_websocket(bytes);
  if (framing == Framing::kHttp) return decode_http(bytes);
  return decode_line(bytes, searched);
}

}  // namespace relay::bench
