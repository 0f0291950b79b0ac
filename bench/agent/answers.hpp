// The answers of one read, written together. Answers that reuse the bytes of their request are
// sent from the input buffer itself; the others are kept here until the write.
// Blocks while the pipe is full, as a simple agent does. Ends the program when the pipe is closed.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <vector>

namespace relay::bench {

class Answers {
 public:
  /// `bytes` must stay as they are until flush().
  void add_in_place(std::string_view bytes);
  void add(std::string bytes);
  void flush();

 private:
  std::vector<iovec> parts_;
  std::deque<std::string> kept_;
};

/// Writes everything to stdout.
void write_out(std::string_view bytes);

}  // namespace relay::bench
