#include "storage/cursor.hpp"

#include <charconv>

namespace relay::storage {
namespace {

// The version keeps cursors apart should the order of the list ever depend on something else.
constexpr std::string_view kPrefix = "v1.";

}  // namespace

std::string encode_cursor(std::int64_t session_number) {
  return std::string(kPrefix) + std::to_string(session_number);
}

std::optional<std::int64_t> decode_cursor(std::string_view cursor) {
  if (!cursor.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = cursor.substr(kPrefix.size());
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  // One spelling a number: no leading zeros, no signs.
  if (number < 1 || encode_cursor(number) != cursor) return std::nullopt;
  return number;
}

}  // namespace relay::storage
