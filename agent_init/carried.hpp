// How many connections share one pair of streams: what the relay and acp-agent-init --carry say to
// each other. Pure.
//
// A frame is a head of eight bytes, big-endian: the connection's number (4), the kind (1), a length
// (3). Numbers are given by the side in the container, and none twice. Of each connection and in
// each direction at most kWindow bytes are on their way: a sender begins with so much credit, and
// gets back what the receiver has taken. A direction is over when its sender has said kEnd, or its
// receiver kStop; what still comes for a connection that is over is passed over.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carried {

inline constexpr std::size_t kHeadBytes = 8;
inline constexpr std::size_t kMaxData = 32 * 1024;  // of one frame
inline constexpr std::size_t kWindow = 128 * 1024;
inline constexpr std::uint32_t kVersion = 1;

enum class Kind : std::uint8_t {
  kReady = 1,  // from the container, once and first; the length is kVersion
  kOpen,       // from the container: there is another connection
  kData,       // followed by `length` bytes, at least one
  kEnd,        // the sender says no more
  kStop,       // the sender takes no more
  kCredit,     // `length` more bytes may come
};

struct Head {
  std::uint32_t connection = 0;
  Kind kind = Kind::kReady;
  std::uint32_t length = 0;
};

inline void put(const Head& head, char* at) {
  const std::uint64_t value = std::uint64_t{head.connection} << 32 |
                              std::uint64_t{static_cast<std::uint8_t>(head.kind)} << 24 |
                              head.length;
  for (std::size_t byte = 0; byte < kHeadBytes; ++byte) {
    at[byte] = static_cast<char>(value >> (8 * (kHeadBytes - 1 - byte)));
  }
}

// False: that is no head.
inline bool get(const char* at, Head& head) {
  std::uint64_t value = 0;
  for (std::size_t byte = 0; byte < kHeadBytes; ++byte) {
    value = value << 8 | static_cast<unsigned char>(at[byte]);
  }
  const auto kind = static_cast<std::uint8_t>(value >> 24);
  head = {static_cast<std::uint32_t>(value >> 32), static_cast<Kind>(kind),
          static_cast<std::uint32_t>(value & 0xffffff)};
  if (kind < static_cast<std::uint8_t>(Kind::kReady)) return false;
  if (kind > static_cast<std::uint8_t>(Kind::kCredit)) return false;
  if (head.kind == Kind::kData) return head.length > 0 && head.length <= kMaxData;
  if (head.kind == Kind::kCredit) return head.length > 0 && head.length <= kWindow;
  return head.length == (head.kind == Kind::kReady ? kVersion : 0);
}

}  // namespace carried
