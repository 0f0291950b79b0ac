#include "egress/usage_reader.hpp"

#include "egress/counts.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace relay::egress {
namespace {

// In every name.
constexpr std::string_view kSign = "oken";
// A name with its quotes, a colon, spaces and a number.
constexpr std::size_t kLongest = 80;
// In one count: an upstream may say what it likes.
constexpr std::uint64_t kMostTokens = 1'000'000'000'000;

std::size_t find_sign(std::string_view text, std::size_t from) {
  // By its rarest letter, which is found many bytes at a time.
  constexpr std::size_t kRarest = kSign.find('k');
  for (std::size_t at = text.find('k', from + kRarest); at != std::string_view::npos;
       at = text.find('k', at + 1)) {
    if (text.substr(at - kRarest).starts_with(kSign)) return at - kRarest;
  }
  return std::string_view::npos;
}

}  // namespace

void UsageReader::feed(std::string_view part) {
  // What may be cut in two. What is read twice counts once.
  const std::uint64_t begin_of_end = fed_ - end_.size();
  end_.append(part.substr(0, kLongest));
  scan(end_, begin_of_end);
  if (part.size() >= kLongest) {
    scan(part, fed_);
    end_ = part.substr(part.size() - kLongest);
  } else if (end_.size() > kLongest) {
    end_.erase(0, end_.size() - kLongest);
  }
  fed_ += part.size();
}

void UsageReader::scan(std::string_view text, std::uint64_t offset) {
  std::size_t at = read_to_ > offset ? static_cast<std::size_t>(read_to_ - offset) : 0;
  for (at = std::min(at, text.size()); (at = find_sign(text, at)) != std::string_view::npos;
       at += kSign.size()) {
    // Near by, or a text without quotes would be gone through for each sign in it.
    const std::size_t first = at - std::min(at, kLongest);
    const std::string_view near = text.substr(first, 2 * kLongest);
    const std::size_t begin = near.rfind('"', at - first);
    const std::size_t end = near.find('"', at - first);
    if (begin == std::string_view::npos || end == std::string_view::npos) continue;
    const std::string_view name = near.substr(begin + 1, end - begin - 1);
    const bool found = note_number(name, text.substr(first + end + 1, kLongest));
    if (found) read_to_ = offset + at + kSign.size();
  }
}

bool UsageReader::note_number(std::string_view name, std::string_view behind) {
  const std::size_t number = behind.find_first_not_of(" :");
  if (number == std::string_view::npos) return false;
  const std::string_view digits = behind.substr(number);
  std::uint64_t count = 0;
  const auto [stop, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  const bool is_whole = failure == std::errc() && stop != digits.data() + digits.size();
  if (is_whole) note(name, count);
  return is_whole;
}

void UsageReader::note(std::string_view name, std::uint64_t count) {
  const auto known = std::ranges::find(kNames, name);
  if (known == kNames.end()) return;
  std::uint64_t& noted = counts_.at(static_cast<std::size_t>(known - kNames.begin()));
  const std::uint64_t said = std::min(count, kMostTokens);
  const bool adds = what_ == Of::kManyAnswers;
  noted = adds ? counted(noted, said) : std::max(noted, said);
}

// What a model writes may stand in an answer as JSON of its own (the input of a tool), so a name
// may be there that the provider does not use: it makes nothing less.
std::uint64_t UsageReader::tokens() const {
  std::uint64_t most = 0;
  std::size_t first = 0;
  for (const std::size_t length : kGroups) {
    std::uint64_t sum = 0;
    for (std::size_t i = first; i < first + length; ++i) sum = counted(sum, counts_.at(i));
    most = std::max(most, sum);
    first += length;
  }
  return most;
}

}  // namespace relay::egress
