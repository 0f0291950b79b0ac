#include "config/utf8.hpp"

#include "base/utf8.hpp"

namespace relay::config {
namespace {

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
}

}  // namespace

std::optional<std::size_t> find_bad_character(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_control(text[at])) return at;
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

}  // namespace relay::config
