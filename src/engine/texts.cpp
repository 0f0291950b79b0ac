#include "engine/texts.hpp"

#include <algorithm>

namespace relay::engine {

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= max_bytes) return out + "...";
    const bool is_blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (is_blank) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += c > ' ' && c < '\x7f' ? c : '?';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return part.empty() || !std::ranges::search(text, part, {}, lower, lower).empty();
}

}  // namespace relay::engine
