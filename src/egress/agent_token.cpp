#include "egress/agent_token.hpp"

#include "http/header_fields.hpp"
#include "http/target.hpp"

#include <algorithm>
#include <array>

namespace relay::egress {
namespace {

bool is_same(std::string_view sent, std::string_view token) {
  if (sent.size() != token.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    difference |= static_cast<unsigned char>(sent[i]) ^ static_cast<unsigned char>(token[i]);
  }
  return difference == 0;
}

// What a header says as a key; empty: it holds none.
std::string_view key_in(const http::Header& header) {
  constexpr std::array<std::string_view, 3> kBare{"X-Api-Key", "X-Goog-Api-Key", "Api-Key"};
  constexpr std::string_view kScheme = "Bearer ";
  const auto is_called = [&](std::string_view name) {
    return http::equals_ignoring_case(header.name, name);
  };
  const std::string_view value = header.value;
  if (std::ranges::any_of(kBare, is_called)) return value;
  const bool is_bearer = is_called("Authorization") &&
                         http::equals_ignoring_case(value.substr(0, kScheme.size()), kScheme);
  return is_bearer ? value.substr(kScheme.size()) : std::string_view();
}

}  // namespace

bool has_token(const http::Request& request, std::string_view token) {
  for (const http::Header& header : request.headers) {
    if (is_same(key_in(header), token)) return true;
  }
  const Result<http::Target> target = http::parse_target(request.target);
  if (!target) return false;
  return std::ranges::any_of(target->query, [&](const auto& parameter) {
    return parameter.first == "key" && is_same(parameter.second, token);
  });
}

}  // namespace relay::egress
