// How far an agent's stdout was taken in, in a measure that the container's log keeps.
//
// Pure, of constant memory. What counts are the printable ASCII bytes: the Engine's json-file log
// may put U+FFFD for other characters where it cuts a line over 16 KiB, and its local log loses the
// newline of such a line. Control characters are left out with them, and lines with nothing that
// counts are no lines here.
#pragma once

#include "backend/agent.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

// Of a line without its newline; never 0. Looks at no more than the line's two ends.
std::uint64_t line_fingerprint(std::string_view line);

constexpr bool counts_in_position(char byte) { return static_cast<signed char>(byte) >= ' '; }
std::uint64_t counted_bytes(std::string_view bytes);

class OutputCounter {
 public:
  explicit OutputCounter(OutputPosition begin = {}) : position_(begin) {}

  void take(std::string_view bytes);

  // Behind the last complete line.
  const OutputPosition& position() const { return position_; }

 private:
  void hold(std::string_view part);
  void take_lines(std::string_view lines);
  void end_line(std::uint64_t fingerprint);

  OutputPosition position_;
  std::uint64_t unfinished_ = 0;  // counted bytes of the line that has not ended
  std::string head_, tail_;       // the ends of it
};

}  // namespace relay
