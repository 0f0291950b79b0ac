#include "egress/hidden_secret.hpp"

#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace relay::egress {
namespace {

constexpr std::size_t kShortestHidden = 6;
constexpr std::string_view kHidden = "***";
constexpr std::size_t kEscapeBytes = 3;

// What an escape at the end of the text stands for.
std::optional<char> escaped_at_end(std::string_view text) {
  if (text.size() < kEscapeBytes) return std::nullopt;
  const std::string_view escape = text.substr(text.size() - kEscapeBytes);
  if (escape[0] != '%') return std::nullopt;
  unsigned char byte = 0;
  const char* const end = escape.data() + escape.size();
  const auto [read_to, failure] = std::from_chars(escape.data() + 1, end, byte, 16);
  if (failure != std::errc() || read_to != end) return std::nullopt;
  return static_cast<char>(byte);
}

// A text without its escapes, and without those that are made of what these stand for.
struct Unescaped {
  std::string text;
  std::vector<std::size_t> begins;  // where each character began; then the end of the whole
};

Unescaped unescaped(std::string_view from) {
  Unescaped out;
  for (std::size_t i = 0; i < from.size(); ++i) {
    out.text += from[i];
    out.begins.push_back(i);
    while (const auto character = escaped_at_end(out.text)) {
      out.text.resize(out.text.size() - kEscapeBytes);
      out.text += *character;
      out.begins.resize(out.text.size());
    }
  }
  out.begins.push_back(from.size());
  return out;
}

void hide_as_it_is(std::string& text, std::string_view secret) {
  if (secret.size() < kShortestHidden) return;
  for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos;
       at += kHidden.size()) {
    text.replace(at, secret.size(), kHidden);
  }
}

void hide_escaped(std::string& text, std::string_view secret) {
  if (text.find('%') == std::string::npos) return;
  const std::string sought = unescaped(secret).text;
  if (sought.size() < kShortestHidden) return;
  const Unescaped plain = unescaped(text);
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = plain.text.find(sought, at)) != std::string::npos;
       at += sought.size()) {
    out.append(text, done, plain.begins[at] - done);
    out += kHidden;
    done = plain.begins[at + sought.size()];
  }
  out.append(text, done);
  text = std::move(out);
}

}  // namespace

// As it is first: what stands before it could make an escape with its first characters.
void hide_secret(std::string& text, std::string_view secret) {
  hide_as_it_is(text, secret);
  hide_escaped(text, secret);
}

}  // namespace relay::egress
