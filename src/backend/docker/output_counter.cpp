#include "backend/docker/output_counter.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace relay {
namespace {

// Of a line that is longer both ends count: the id and the beginning of the text are in front.
constexpr std::size_t kHead = 4096;
constexpr std::size_t kTail = 256;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25U;
  return hash ^ (hash >> 32U);
}

std::uint64_t word_at(std::string_view bytes, std::size_t size = sizeof(std::uint64_t)) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), size);
  return word;
}

std::uint64_t mixed(std::uint64_t hash, std::string_view bytes) {
  for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
    hash = mixed(hash, word_at(bytes));
  }
  hash = mixed(hash, bytes.size());
  return bytes.empty() ? hash : mixed(hash, word_at(bytes, bytes.size()));
}

std::uint64_t fingerprint_of(std::string_view head, std::string_view tail) {
  const std::uint64_t hash = mixed(mixed(0, head), tail);
  return hash == 0 ? 1 : hash;
}

bool is_line(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(), counts_in_position);
}

// As rfind(), which looks at every byte by itself.
std::size_t last_newline(std::string_view bytes) {
  const void* const found = bytes.empty() ? nullptr : ::memrchr(bytes.data(), '\n', bytes.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
}

}  // namespace

std::uint64_t line_fingerprint(std::string_view line) {
  return fingerprint_of(line.substr(0, kHead),
                        line.substr(line.size() - std::min(line.size(), kTail)));
}

std::uint64_t counted_bytes(std::string_view bytes) {
  constexpr std::uint64_t kEveryByte = 0x0101010101010101U;
  std::uint64_t count = 0;
  for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
    const std::uint64_t word = word_at(bytes);
    // The top bit of each byte: set where the lower seven say ' ' or more, and it is clear itself.
    const std::uint64_t printable = (word & 0x7f * kEveryByte) + 0x60 * kEveryByte;
    count += static_cast<std::uint64_t>(std::popcount(printable & ~word & 0x80 * kEveryByte));
  }
  count +=
      static_cast<std::uint64_t>(std::count_if(bytes.begin(), bytes.end(), counts_in_position));
  return count;
}

void OutputCounter::take(std::string_view bytes) {
  std::size_t newline = bytes.find('\n');
  if (newline == std::string_view::npos || !head_.empty()) {
    hold(bytes.substr(0, newline));
    if (newline == std::string_view::npos) return;
    if (unfinished_ > 0) end_line(fingerprint_of(head_, tail_));
    position_.bytes += std::exchange(unfinished_, 0);
    bytes.remove_prefix(newline + 1);
    head_.clear();
    tail_.clear();
  }
  newline = last_newline(bytes);
  if (newline != std::string_view::npos) {
    take_lines(bytes.substr(0, newline));
    bytes.remove_prefix(newline + 1);
  }
  hold(bytes);
}

// Whole lines, of which the first and the last one matter.
void OutputCounter::take_lines(std::string_view lines) {
  position_.bytes += counted_bytes(lines);
  for (std::string_view rest = lines; position_.first_line == 0 && !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (is_line(line)) end_line(line_fingerprint(line));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  for (std::string_view rest = lines; !rest.empty();) {
    const std::size_t before = last_newline(rest);
    const std::string_view line = rest.substr(before + 1);  // npos + 1 is 0
    if (is_line(line)) return end_line(line_fingerprint(line));
    rest = rest.substr(0, before == std::string_view::npos ? 0 : before);
  }
}

void OutputCounter::end_line(std::uint64_t fingerprint) {
  if (position_.first_line == 0) position_.first_line = fingerprint;
  position_.last_line = fingerprint;
}

void OutputCounter::hold(std::string_view part) {
  unfinished_ += counted_bytes(part);
  head_ += part.substr(0, kHead - std::min(kHead, head_.size()));
  if (part.size() >= kTail) {
    tail_ = part.substr(part.size() - kTail);
    return;
  }
  tail_ += part;
  if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
}

}  // namespace relay
