#include "cli/redraw.hpp"

#include <algorithm>
#include <vector>

namespace relay::cli {
namespace {

constexpr std::string_view kToTheTop = "\x1b[H";
constexpr std::string_view kClearRestOfLine = "\x1b[K";
constexpr std::string_view kClearRest = "\x1b[J";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.push_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

// Its first characters, each taken as one column wide.
std::string_view beginning(std::string_view line, std::size_t columns) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
    if (begins && ++characters > columns) return line.substr(0, i);
  }
  return line;
}

}  // namespace

std::string redraw(std::string_view text, TerminalSize size) {
  std::vector<std::string_view> lines = lines_of(text);
  std::string rest;
  // The cursor stands in the last row.
  const std::size_t room = size.rows > 1 ? size.rows - 1 : 0;
  if (room > 0 && lines.size() > room) {
    rest = "... " + std::to_string(lines.size() - room + 1) + " more lines";
    lines.resize(room - 1);
    lines.push_back(rest);
  }
  std::string out(kToTheTop);
  for (const std::string_view line : lines) {
    out += size.columns > 0 ? beginning(line, size.columns) : line;
    out += kClearRestOfLine;
    out += "\r\n";
  }
  return out += kClearRest;
}

}  // namespace relay::cli
