#include "config/units.hpp"

#include <charconv>
#include <limits>

namespace relay::config {
namespace {

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kMaxDurationMs = 366ull * 24 * 3600 * 1000;

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

std::optional<std::uint64_t> to_number(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// How many milliseconds one of the unit is; 0: no such unit.
std::uint64_t milliseconds_of(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s" || unit.empty()) return 1000;
  if (unit == "m") return 60'000;
  if (unit == "h") return 3'600'000;
  return 0;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string_view whole_digits = take_digits(text);
  const auto whole = to_number(whole_digits);
  if (!whole) return std::nullopt;

  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
    if (fraction.empty()) return std::nullopt;
  }
  const std::uint64_t unit = milliseconds_of(text);
  if (unit == 0 || *whole > kMaxDurationMs / unit) return std::nullopt;

  std::uint64_t total = *whole * unit;
  // Nine digits are finer than a millisecond of an hour; more would only overflow.
  std::uint64_t digits_value = 0;
  std::uint64_t scale = 1;
  for (std::size_t i = 0; i < fraction.size() && i < 9; ++i) {
    digits_value = digits_value * 10 + static_cast<std::uint64_t>(fraction[i] - '0');
    scale *= 10;
  }
  total += digits_value * unit / scale;
  if (total > kMaxDurationMs) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::string_view digits = take_digits(text);
  const auto number = to_number(digits);
  if (!number) return std::nullopt;
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.front()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      case 't':
      case 'T':
        shift = 40;
        break;
      default:
        return std::nullopt;
    }
    text.remove_prefix(1);
    if (!text.empty() && text != "i") return std::nullopt;
  }
  if (*number > (kMaxSize >> shift)) return std::nullopt;
  return *number << shift;
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms == 0) return "0s";
  if (ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  return std::to_string(ms) + "ms";
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "TGMK";
  unsigned shift = 40;
  for (const char unit : kUnits) {
    const std::uint64_t one = 1ull << shift;
    if (bytes != 0 && bytes % one == 0) return std::to_string(bytes >> shift) + unit;
    shift -= 10;
  }
  return std::to_string(bytes);
}

std::string format_seconds(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  std::string text = std::to_string(ms / 1000);
  if (const auto rest = ms % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    while (digits.back() == '0') digits.pop_back();
    text += "." + digits;
  }
  return text;
}

}  // namespace relay::config
