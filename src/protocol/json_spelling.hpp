// How JSON may spell a text: A is also \u0041, and within a JSON text that is itself a string every
// escape is escaped again. Pure; works on any bytes, not on valid JSON alone.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

struct JsonEscape {
  std::size_t length = 0;  // of the escape, 12 for a surrogate pair
  char32_t character = 0;  // U+FFFD for half a surrogate pair
};

// The escape whose backslash is text[at]; empty when it is none that JSON knows.
std::optional<JsonEscape> json_escape_at(std::string_view text, std::size_t at);

void append_utf8(std::string& out, char32_t character);

// A text without one layer of escapes, and where each byte of it came from.
struct Unescaped {
  std::string text;
  std::vector<std::uint32_t> from;  // one more than bytes: the last is the size of what was read
};
Unescaped unescaped(std::string_view text);

struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};
// The range with the escapes that it cuts in two.
ByteRange with_whole_escapes(std::string_view text, ByteRange range);

// Tells quickly that no escape of a text can be part of one of the words it was made for.
class EscapeFilter {
 public:
  void add(std::string_view word);
  bool may_spell_a_word(std::string_view text) const;

 private:
  bool is_wanted(std::string_view text, std::size_t at, const JsonEscape& escape) const;

  std::bitset<256> bytes_;                       // in a word
  std::bitset<256> first_;                       // begins a word
  std::array<std::bitset<256>, 256> follows_{};  // [a][b]: ab is in a word
};

}  // namespace relay
