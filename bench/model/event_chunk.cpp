#include "model/event_chunk.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>

namespace relay::bench {

std::string event_chunk(std::size_t bytes) {
  constexpr std::string_view kBegin = "data: ";
  constexpr std::string_view kEndOfEvent = "\n\n";
  const std::size_t fixed = kBegin.size() + kEndOfEvent.size();
  const std::size_t size = std::max(bytes, fixed);
  std::array<char, 16> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16);
  std::string chunk(digits.data(), written.ptr);
  chunk.append("\r\n").append(kBegin).append(size - fixed, 'x').append(kEndOfEvent);
  return chunk.append("\r\n");
}

std::size_t number_in(std::string_view target, std::string_view name) {
  const std::string key = std::string(name) + "=";
  for (const char before : {'?', '&'}) {
    const std::size_t at = target.find(before + key);
    if (at == std::string_view::npos) continue;
    const std::string digits(target.substr(at + 1 + key.size()));
    return std::strtoull(digits.c_str(), nullptr, 10);
  }
  return 0;
}

std::size_t body_bytes(std::string head) {
  constexpr std::string_view kLength = "\r\ncontent-length:";
  std::ranges::transform(head, head.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  const std::size_t at = head.find(kLength);
  if (at == std::string::npos) return 0;
  return std::strtoull(head.c_str() + at + kLength.size(), nullptr, 10);
}

}  // namespace relay::bench
