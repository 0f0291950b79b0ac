#include "protocol/own_id.hpp"

#include <charconv>
#include <cmath>

namespace relay {
namespace {

constexpr double kMaxExact = 9'007'199'254'740'992.0;  // 2^53

template <class Number>
std::optional<Number> whole_text(std::string_view text) {
  Number number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::int64_t> own_id(std::string_view json) {
  if (json.size() >= 2 && json.front() == '"' && json.back() == '"') {
    json = json.substr(1, json.size() - 2);
  }
  if (const auto number = whole_text<std::int64_t>(json)) return number;
  const auto number = whole_text<double>(json);
  if (!number || std::abs(*number) > kMaxExact || std::trunc(*number) != *number) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*number);
}

}  // namespace relay
