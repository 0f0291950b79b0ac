#include "protocol/scalar_grammar.hpp"

#include <cstring>

namespace relay {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Drops leading digits; false when there was none.
bool drop_digits(std::string_view& rest) {
  std::size_t count = 0;
  while (count < rest.size() && is_digit(rest[count])) ++count;
  rest.remove_prefix(count);
  return count > 0;
}

}  // namespace

bool is_json_number(std::string_view rest) {
  if (rest.starts_with('-')) rest.remove_prefix(1);
  if (rest.starts_with('0')) {
    rest.remove_prefix(1);
  } else if (!drop_digits(rest)) {
    return false;
  }
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    if (!drop_digits(rest)) return false;
  }
  if (rest.starts_with('e') || rest.starts_with('E')) {
    rest.remove_prefix(1);
    if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
    if (!drop_digits(rest)) return false;
  }
  return rest.empty();
}

bool is_json_literal(std::string_view token) {
  return token == "true" || token == "false" || token == "null";
}

bool escapes_are_valid(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while ((at = static_cast<const char*>(
              std::memchr(at, '\\', static_cast<std::size_t>(end - at)))) != nullptr) {
    if (end - at < 2) return false;
    switch (at[1]) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        at += 2;
        break;
      case 'u':
        if (end - at < 6 || !is_hex(at[2]) || !is_hex(at[3]) || !is_hex(at[4]) || !is_hex(at[5])) {
          return false;
        }
        at += 6;
        break;
      default:
        return false;
    }
  }
  return true;
}

bool is_string_content(std::string_view text) {
  if (!escapes_are_valid(text)) return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;  // with what it makes of the next character
    } else if (text[at] == '"' || static_cast<unsigned char>(text[at]) < 0x20) {
      return false;
    }
  }
  return true;
}

namespace {

enum class Surrogate { kNone, kHigh, kLow };

// What the escape at `at` stands for; kNone also where there is none.
Surrogate surrogate_at(std::string_view text, std::size_t at) {
  if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return Surrogate::kNone;
  if (!is_hex(text[at + 4]) || !is_hex(text[at + 5])) return Surrogate::kNone;
  if (text[at + 2] != 'd' && text[at + 2] != 'D') return Surrogate::kNone;
  const char c = text[at + 3];
  if (c == '8' || c == '9' || c == 'a' || c == 'A' || c == 'b' || c == 'B') return Surrogate::kHigh;
  const bool low = (c >= 'c' && c <= 'f') || (c >= 'C' && c <= 'F');
  return low ? Surrogate::kLow : Surrogate::kNone;
}

}  // namespace

void mend_surrogates(std::string& text) {
  for (std::size_t at = text.find('\\'); at != std::string::npos; at = text.find('\\', at)) {
    const Surrogate half = surrogate_at(text, at);
    if (half == Surrogate::kNone) {
      at += 2;
    } else if (half == Surrogate::kHigh && surrogate_at(text, at + 6) == Surrogate::kLow) {
      at += 12;
    } else {
      text.replace(at + 2, 4, "fffd");
      at += 6;
    }
  }
}

}  // namespace relay
