#include "backend/docker/repeated_records.hpp"

#include <algorithm>

namespace relay {
namespace {

constexpr std::string_view kForm = "0000-00-00T00:00:00.000000000Z";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<std::int64_t> record_time(std::string_view text) {
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_digit(kForm[at]) ? !is_digit(text[at]) : text[at] != kForm[at]) return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t size) {
    std::int64_t value = 0;
    for (const char c : text.substr(at, size)) value = value * 10 + (c - '0');
    return value;
  };
  // Months of 31 days: only the order counts.
  const std::int64_t days = (number(0, 4) - 1970) * 372 + number(5, 2) * 31 + number(8, 2);
  const std::int64_t seconds =
      ((days * 24 + number(11, 2)) * 60 + number(14, 2)) * 60 + number(17, 2);
  return seconds * 1'000'000'000 + number(20, 9);
}

bool RepeatedRecords::is_repeated(std::int64_t time) {
  if (!times_.empty() && time == times_.back()) return repeating_;  // a part of the same record
  if (!times_.empty() && time < times_.back()) {
    repeating_ = std::binary_search(times_.begin(), times_.end(), time);
    if (repeating_) return true;
    times_.clear();  // the clock was set back
  }
  repeating_ = false;
  times_.push_back(time);
  if (times_.size() > kRemembered) times_.pop_front();
  return false;
}

}  // namespace relay
