// What an agent says on stderr: the last bytes for error reports, the lines for the log.
//
// Pure: time is passed in. Memory is bounded by the size of the tail plus one line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

// The last `max_bytes` bytes of a stream. Holds no memory before the first byte.
class StderrTail {
 public:
  explicit StderrTail(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void append(std::string_view bytes);

  // What is kept, oldest first; starts at the beginning of a line when earlier bytes are gone.
  std::string text() const;

 private:
  std::size_t max_bytes_;
  std::string ring_;
  std::size_t oldest_ = 0;  // where the next byte goes once the ring is full
  bool wrapped_ = false;
};

// Cuts stderr into log lines and lets only so many through a second.
class StderrLines {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::size_t kMaxLineBytes = 4096;  // what is longer is cut

  struct Output {
    std::vector<std::string> lines;
    std::uint64_t suppressed = 0;  // not zero: that many lines were left out before these
  };

  explicit StderrLines(unsigned lines_per_second) : lines_per_second_(lines_per_second) {}

  Output push(std::string_view bytes, Time now);
  // The stream has ended: what is left of a line, and the count of what was left out.
  Output finish(Time now);

 private:
  void add(std::string_view part);
  void end_line(Output& output, Time now);

  unsigned lines_per_second_;
  std::string line_;
  Time window_begin_{};
  unsigned in_window_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace relay
