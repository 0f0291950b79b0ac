#include "agent/update_stream.hpp"

#include "agent/answers.hpp"

#include <algorithm>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace relay::bench {

namespace {

constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr int kYieldsBeforeSleep = 200;
constexpr useconds_t kSleepMicroseconds = 50;

std::string make_update(std::string_view session_id, std::size_t size) {
  std::string line = R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":")";
  line += session_id;
  line += R"(","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":")";
  const std::string_view end = "\"}}}}\n";
  if (size > line.size() + end.size()) line.append(size - line.size() - end.size(), 'u');
  line += end;
  return line;
}

/// Gives the core to the reader until the pipe is empty; sleeps when the reader has paused.
void wait_until_read() {
  for (int tries = 0;; ++tries) {
    ::sched_yield();
    int unread = 0;
    if (::ioctl(STDOUT_FILENO, FIONREAD, &unread) != 0 || unread == 0) return;
    if (tries >= kYieldsBeforeSleep) ::usleep(kSleepMicroseconds);
  }
}

}  // namespace

void send_updates(const UpdateStream& stream, std::string_view session_id) {
  const std::string line = make_update(session_id, stream.size);
  if (stream.paced) {
    for (std::size_t i = 0; i < stream.count; ++i) {
      write_out(line);
      wait_until_read();
    }
    return;
  }
  const std::size_t lines_a_write = std::max<std::size_t>(1, kWriteBytes / line.size());
  std::string block;
  for (std::size_t i = 0; i < lines_a_write; ++i) block += line;
  for (std::size_t sent = 0; sent < stream.count; sent += lines_a_write) {
    const std::size_t lines = std::min(lines_a_write, stream.count - sent);
    write_out(std::string_view(block).substr(0, lines * line.size()));
  }
}

}  // namespace relay::bench
