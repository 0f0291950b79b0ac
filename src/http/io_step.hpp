// Outcome of one attempt to read or write that does not wait.
#pragma once

#include <cerrno>
#include <cstddef>

namespace relay::http {

// Whether a call on a socket that failed with this errno is to be tried again.
inline bool is_temporary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

enum class IoState {
  kDone,       // `bytes` were moved
  kWaitRead,   // nothing moved; try again when the socket is readable
  kWaitWrite,  // nothing moved; try again when the socket is writable
  kEnd,        // the peer has ended its side
  kFailed,     // the connection is lost
};

struct IoStep {
  IoState state = IoState::kFailed;
  std::size_t bytes = 0;
  bool more = false;  // reading: another attempt may give more at once
};

inline bool would_block(IoState state) {
  return state == IoState::kWaitRead || state == IoState::kWaitWrite;
}

}  // namespace relay::http
