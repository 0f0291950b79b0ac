#include "backend/docker/input_pieces.hpp"

namespace relay {

std::string_view next_piece(std::string_view lines) {
  if (lines.size() <= kTakenWhole) return lines;
  const auto last = lines.rfind('\n', kTakenWhole - 1);
  if (last != std::string_view::npos) return lines.substr(0, last + 1);
  const auto end = lines.find('\n');
  const auto message = lines.substr(0, end);
  const auto counts = message.find_last_not_of(" \t\r");
  return counts == std::string_view::npos ? lines.substr(0, end + 1) : lines.substr(0, counts + 1);
}

}  // namespace relay
