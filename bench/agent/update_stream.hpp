// Sends session/update notifications as fast as asked.
// Blast: as many whole lines as fit in one write of 64 KiB.
// Paced: one line, and the next only when the reader has taken it, so that the reader pays one
// wake-up a line.
#pragma once

#include <cstddef>
#include <string_view>

namespace relay::bench {

struct UpdateStream {
  std::size_t count = 0;
  std::size_t size = 300;  // bytes of one line, with its newline
  bool paced = false;
};

void send_updates(const UpdateStream& stream, std::string_view session_id);

}  // namespace relay::bench
