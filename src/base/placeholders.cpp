#include "base/placeholders.hpp"

namespace relay {

std::string replace_placeholders(
    std::string_view text,
    const std::function<std::optional<std::string>(std::string_view words)>& meaning) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find('{');
    const std::size_t close = text.find_first_of("{}", open == text.npos ? open : open + 1);
    if (open == text.npos || close == text.npos) break;
    out += text.substr(0, open);
    const bool is_one = text[close] == '}';
    const auto meant = is_one ? meaning(text.substr(open + 1, close - open - 1)) : std::nullopt;
    const std::size_t end = is_one ? close + 1 : close;
    out += meant ? *meant : std::string(text.substr(open, end - open));
    text.remove_prefix(end);
  }
  return out += text;
}

}  // namespace relay
