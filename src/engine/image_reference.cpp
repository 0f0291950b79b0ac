#include "engine/image_reference.hpp"

#include "engine/texts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relay::engine {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_word(char c) { return is_digit(c) || is_lower(c) || is_upper(c) || c == '_'; }

Error bad_reference(std::string_view image, std::string_view why) {
  return make_error(ErrorType::kImageNotFound, fmt::format("\"{}\" is not the name of an image: {}",
                                                           printable(image, 300), why))
      .suggest(
          "write container.image as [REGISTRY[:PORT]/]NAME[:TAG] or NAME@sha256:DIGEST, "
          "acp-agent:latest for example")
      .with("key", std::string("container.image"));
}

bool is_tag(std::string_view tag) {
  const auto may_follow = [](char c) { return is_word(c) || c == '.' || c == '-'; };
  return !tag.empty() && tag.size() <= 128 && is_word(tag.front()) &&
         std::ranges::all_of(tag, may_follow);
}

bool is_digest(std::string_view digest) {
  const std::size_t colon = digest.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string_view digits = digest.substr(colon + 1);
  const auto is_hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  return std::ranges::all_of(
             digest.substr(0, colon),
             [](char c) { return is_word(c) || c == '+' || c == '.' || c == '-'; }) &&
         digits.size() >= 32 && digits.size() <= 128 && std::ranges::all_of(digits, is_hex);
}

// The first component is a registry when it looks like a host.
bool is_registry(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos ||
         std::ranges::any_of(component, is_upper);
}

bool is_letter_or_digit(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }

// One part of a host name, between dots.
bool is_label(std::string_view text) {
  const auto belongs = [](char c) { return is_letter_or_digit(c) || c == '-'; };
  return !text.empty() && is_letter_or_digit(text.front()) && is_letter_or_digit(text.back()) &&
         std::ranges::all_of(text, belongs);
}

bool is_address(std::string_view text) {
  const auto belongs = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
  };
  return !text.empty() && std::ranges::all_of(text, belongs);
}

// HOST[:PORT], where HOST may be an IPv6 address in brackets.
bool is_host(std::string_view host) {
  const bool has_address = host.starts_with('[');
  const std::size_t end = has_address ? host.find(']') : host.find(':');
  const std::size_t port = has_address && end != std::string_view::npos ? end + 1 : end;
  if (port < host.size()) {
    const std::string_view digits = host.substr(port + 1);
    if (host[port] != ':' || digits.empty() || !std::ranges::all_of(digits, is_digit)) return false;
  }
  if (has_address) return end != std::string_view::npos && is_address(host.substr(1, end - 1));
  host = host.substr(0, end);
  for (;;) {
    const std::size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_component(std::string_view text) {
  const auto is_alphanumeric = [](char c) { return is_digit(c) || is_lower(c); };
  const auto belongs = [&](char c) {
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, belongs) && text.find("..") == std::string_view::npos;
}

}  // namespace

Result<ImageReference> split_image(std::string_view image) {
  ImageReference out;
  std::string_view name = image;
  if (name.empty()) return bad_reference(image, "it is empty");
  const std::size_t at = name.find('@');
  if (at != std::string_view::npos) {
    out.tag = name.substr(at + 1);
    name = name.substr(0, at);
    if (!is_digest(out.tag)) return bad_reference(image, "what follows the @ is no digest");
  }
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.rfind(':');
  const bool has_tag =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  if (has_tag) {
    const std::string_view tag = name.substr(colon + 1);
    if (!is_tag(tag)) return bad_reference(image, "what follows the last : is no tag");
    if (out.tag.empty()) out.tag = tag;
    name = name.substr(0, colon);
  }
  if (out.tag.empty()) out.tag = "latest";
  if (name.size() > 255) return bad_reference(image, "the name is longer than 255 characters");
  out.name = name;
  const std::size_t first = name.find('/');
  if (first != std::string_view::npos && first > 0 && is_registry(name.substr(0, first))) {
    if (!is_host(name.substr(0, first))) return bad_reference(image, "the registry is no host");
    name.remove_prefix(first + 1);
  }
  for (;;) {
    const std::size_t end = name.find('/');
    if (!is_component(name.substr(0, end))) {
      return bad_reference(image,
                           "its parts are lower-case letters, digits and, between them, . _ -");
    }
    if (end == std::string_view::npos) return out;
    name.remove_prefix(end + 1);
  }
}

}  // namespace relay::engine
