#include "protocol/json_spelling.hpp"

#include <algorithm>

namespace relay {
namespace {

constexpr char32_t kNoCharacter = 0xFFFD;
constexpr std::size_t kLongestEscape = 12;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four digits behind \u at `at`.
std::optional<char32_t> code_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  char32_t code = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return std::nullopt;
    code = code * 16 + static_cast<char32_t>(digit);
  }
  return code;
}

std::optional<char32_t> simple_escape(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return static_cast<unsigned char>(letter);
    case 'b':
      return U'\b';
    case 'f':
      return U'\f';
    case 'n':
      return U'\n';
    case 'r':
      return U'\r';
    case 't':
      return U'\t';
    default:
      return std::nullopt;
  }
}

unsigned char first_byte(char32_t character) {
  if (character < 0x80) return static_cast<unsigned char>(character);
  if (character < 0x800) return static_cast<unsigned char>(0xC0 | (character >> 6));
  if (character < 0x10000) return static_cast<unsigned char>(0xE0 | (character >> 12));
  return static_cast<unsigned char>(0xF0 | (character >> 18));
}

// Whether the backslash at `at` begins an escape: the run of backslashes up to it is odd.
bool begins_escape(std::string_view text, std::size_t at) {
  std::size_t run = 0;
  while (run <= at && text[at - run] == '\\') ++run;
  return run % 2 == 1;
}

// Escapes often stand close together, where calling memchr costs more than looking.
std::size_t next_backslash(std::string_view text, std::size_t at) {
  const std::size_t near = std::min(text.size(), at + 16);
  for (; at < near; ++at) {
    if (text[at] == '\\') return at;
  }
  return std::min(text.find('\\', at), text.size());
}

}  // namespace

std::optional<JsonEscape> json_escape_at(std::string_view text, std::size_t at) {
  if (at + 2 > text.size()) return std::nullopt;
  if (text[at + 1] != 'u') {
    const auto simple = simple_escape(text[at + 1]);
    if (!simple) return std::nullopt;
    return JsonEscape{2, *simple};
  }
  const auto unit = code_unit(text, at);
  if (!unit) return std::nullopt;
  if (*unit < 0xD800 || *unit > 0xDFFF) return JsonEscape{6, *unit};
  const auto low = *unit < 0xDC00 ? code_unit(text, at + 6) : std::nullopt;
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return JsonEscape{6, kNoCharacter};
  return JsonEscape{12, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00)};
}

void append_utf8(std::string& out, char32_t character) {
  out += static_cast<char>(first_byte(character));
  const auto rest = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((character >> shift) & 0x3F));
  };
  if (character >= 0x10000) rest(12);
  if (character >= 0x800) rest(6);
  if (character >= 0x80) rest(0);
}

Unescaped unescaped(std::string_view text) {
  Unescaped out;
  out.text.reserve(text.size());
  out.from.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    const auto escape = text[at] == '\\' ? json_escape_at(text, at) : std::nullopt;
    if (escape) {
      append_utf8(out.text, escape->character);
    } else {
      out.text += text[at];
    }
    out.from.resize(out.text.size(), static_cast<std::uint32_t>(at));
    at += escape ? escape->length : 1;
  }
  out.from.push_back(static_cast<std::uint32_t>(text.size()));
  return out;
}

ByteRange with_whole_escapes(std::string_view text, ByteRange range) {
  const auto escape_around = [&](std::size_t border) -> std::optional<ByteRange> {
    const std::size_t nearest = border > kLongestEscape ? border - kLongestEscape : 0;
    for (std::size_t at = border; at-- > nearest;) {
      if (text[at] != '\\' || !begins_escape(text, at)) continue;
      const auto escape = json_escape_at(text, at);
      if (escape && at + escape->length > border) return ByteRange{at, at + escape->length};
    }
    return std::nullopt;
  };
  if (const auto cut = escape_around(range.begin)) range.begin = cut->begin;
  if (const auto cut = escape_around(range.end)) range.end = cut->end;
  return range;
}

void EscapeFilter::add(std::string_view word) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    bytes_.set(byte);
    if (i == 0) {
      first_.set(byte);
    } else {
      follows_[static_cast<unsigned char>(word[i - 1])].set(byte);
    }
  }
}

// An escape that is no word's first byte is part of one only behind the byte that stands before it
// there, or behind another escape.
bool EscapeFilter::is_wanted(std::string_view text, std::size_t at,
                             const JsonEscape& escape) const {
  const unsigned char byte = first_byte(escape.character);
  if (!bytes_[byte]) return false;
  if (first_[byte]) return true;
  if (at == 0) return false;
  if (follows_[static_cast<unsigned char>(text[at - 1])][byte]) return true;
  return (at >= 2 && text[at - 2] == '\\') || (at >= 6 && text[at - 6] == '\\');
}

bool EscapeFilter::may_spell_a_word(std::string_view text) const {
  for (std::size_t at = next_backslash(text, 0); at < text.size(); at = next_backslash(text, at)) {
    const std::size_t begin = at;
    while (at < text.size() && text[at] == '\\') ++at;
    if (at - begin > 1) {
      // A backslash of the text, or an escape within an escaped text.
      if (bytes_['\\']) return true;
      const auto escape = json_escape_at(text, at - 1);
      if (escape && bytes_[first_byte(escape->character)]) return true;
      continue;
    }
    // Most escapes are line ends and quotes, and most words have none.
    const char letter = at < text.size() ? text[at] : '\0';
    if (letter != 'u') {
      const auto character = simple_escape(letter);
      ++at;
      if (!character || !bytes_[first_byte(*character)]) continue;
    }
    const auto escape = json_escape_at(text, begin);
    // An escaped backslash may begin an escape of the layer below.
    if (escape && (escape->character == U'\\' || is_wanted(text, begin, *escape))) return true;
    if (escape) at = begin + escape->length;
  }
  return false;
}

}  // namespace relay
