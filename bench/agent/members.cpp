#include "agent/members.hpp"

#include <charconv>

namespace relay::bench {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

std::size_t skip_space(std::string_view text, std::size_t at) {
  const std::size_t next = text.find_first_not_of(" \t\r\n", at);
  return next == kNone ? text.size() : next;
}

/// `at` is the opening quote; returns the place behind the closing one.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return text.size();
}

std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    }
    if (c == ',' && depth == 0) return at;
    ++at;
  }
  return at;
}

}  // namespace

Members find_members(std::string_view line) {
  Members members;
  std::size_t at = skip_space(line, 0);
  if (at >= line.size() || line[at] != '{') return members;
  at = skip_space(line, at + 1);
  while (at < line.size() && line[at] == '"') {
    const std::size_t key_end = skip_string(line, at);
    const std::string_view key = line.substr(at, key_end - at);
    at = skip_space(line, skip_space(line, key_end) + 1);
    if (key == "\"params\"") {
      members.params = at;
      if (!members.id.empty() && !members.method.empty()) return members;
    }
    const std::size_t end = skip_value(line, at);
    if (key == "\"id\"") members.id = line.substr(at, end - at);
    if (key == "\"method\"" && end > at + 2) members.method = line.substr(at + 1, end - at - 2);
    at = skip_space(line, end);
    if (at >= line.size() || line[at] != ',') break;
    at = skip_space(line, at + 1);
  }
  return members;
}

std::size_t number_of(std::string_view text, std::string_view quoted_key, std::size_t otherwise) {
  const std::size_t key = text.find(quoted_key);
  if (key == kNone) return otherwise;
  const std::size_t at = skip_space(text, skip_space(text, key + quoted_key.size()) + 1);
  std::size_t value = otherwise;
  std::from_chars(text.data() + at, text.data() + text.size(), value);
  return value;
}

std::string_view string_of(std::string_view text, std::string_view quoted_key) {
  const std::size_t key = text.find(quoted_key);
  if (key == kNone) return {};
  const std::size_t at = skip_space(text, skip_space(text, key + quoted_key.size()) + 1);
  if (at >= text.size() || text[at] != '"') return {};
  return text.substr(at + 1, skip_string(text, at) - at - 2);
}

}  // namespace relay::bench
