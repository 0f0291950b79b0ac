// Bytes on their way from one socket to another, at most a buffer of them.
//
// It reads only when all that it has read is written, so that a slow target slows the source down.
// It owns neither the sockets nor the buffer. No call waits.
#pragma once

#include <cstddef>

// Which of the two sockets has broken, if any did.
enum class Broken { kNone, kSource, kTarget };

class Flow {
 public:
  static constexpr std::size_t kBufferBytes = 64 * 1024;

  Flow() = default;
  explicit Flow(char* buffer) : buffer_(buffer) {}

  bool wants_to_read() const { return !ended_ && begin_ == end_; }
  bool wants_to_write() const { return begin_ != end_; }
  // The source's end has come and is passed on.
  bool is_over() const { return ended_; }

  // Reads once and writes what it can of that; the source's end shuts the target down for writing.
  Broken read(int source, int target);
  Broken write(int target);

  // There is no target any more: what the source says, up to its end, is thrown away. Closing the
  // source instead would reset the connection and take from its peer what has not been read yet.
  void throw_away();
  // The source has ended without saying so.
  void end(int target);

 private:
  char* buffer_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;
  bool thrown_away_ = false;
};
