// Writing many messages, each with its newline, in one system call.
#pragma once

#include "protocol/shared_bytes.hpp"

#include <cstddef>
#include <span>

namespace relay {

// How far a sequence of messages has been written.
struct WriteProgress {
  std::size_t next_message = 0;
  std::size_t offset = 0;  // bytes of that message (its newline counted) that are written
};

// Writes as much as one writev takes and moves `progress` on. 0 or an errno; EAGAIN when `fd`,
// which must be non-blocking, takes nothing. Never asked when everything is written.
int write_messages(int fd, std::span<const SharedBytes> messages, WriteProgress& progress);

}  // namespace relay
