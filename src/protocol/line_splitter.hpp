// Cuts a stream of bytes into lines: how ACP frames messages on stdio.
//
// Pure: bytes in, lines out; the way a stream is cut into pieces never changes the lines.
// "\r\n" ends a line as "\n" does. Lines of nothing but blanks are skipped. Memory is bounded by
// twice the line limit, and an idle splitter between two lines holds none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

class LineSplitter {
 public:
  // Spare capacity after the end of every line, for JSON parsers that read past it.
  static constexpr std::size_t kSlack = 64;

  // A line may have `max_line_bytes` bytes, its ending not counted.
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // Appends the lines that `bytes` completes to `lines`. Longer ones than allowed are left out.
  void push(std::string_view bytes, std::vector<std::string>& lines);

  // The stream has ended: appends what came after the last newline.
  void finish(std::vector<std::string>& lines);

  // How many lines were too long and left out, since the last call.
  std::uint64_t take_oversized();

  // Bytes of the unfinished line that are held.
  std::size_t held_bytes() const { return held_.size(); }

 private:
  void complete(std::string_view line, std::vector<std::string>& lines);
  void complete_held(std::string_view end, std::vector<std::string>& lines);
  void hold(std::string_view part);
  bool accepts(std::string_view& line);

  std::size_t max_line_bytes_;
  std::string held_;         // the beginning of a line whose end has not come
  bool discarding_ = false;  // inside a line that is too long
  std::uint64_t oversized_ = 0;
};

}  // namespace relay
