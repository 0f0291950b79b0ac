#include "egress/outgoing_headers.hpp"

#include "http/header_fields.hpp"

#include <algorithm>
#include <array>

namespace relay::egress {
namespace {

using http::equals_ignoring_case;

constexpr std::array<std::string_view, 8> kOfTheConnection{
    "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
    "TE",         "Upgrade",    "Content-Length",   "Transfer-Encoding"};

// Whatever an agent may have put its own, or a placeholder, into.
constexpr std::array<std::string_view, 6> kCredentials{"Authorization", "Proxy-Authorization",
                                                       "X-Api-Key",     "X-Goog-Api-Key",
                                                       "Api-Key",       "X-Amz-Security-Token"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(
      names, [&](std::string_view other) { return equals_ignoring_case(name, other); });
}

// Named in Connection, so it ends here, too.
bool is_nominated(const http::Headers& headers, std::string_view name) {
  return http::has_token(headers, "Connection", name);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter || (c >= '0' && c <= '9') || kUnreserved.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte / kHex.size()];
      out += kHex[byte % kHex.size()];
    }
  }
  return out;
}

}  // namespace

bool wants_websocket(const http::Headers& headers) {
  return http::has_token(headers, "Connection", "Upgrade") &&
         http::has_token(headers, "Upgrade", "websocket");
}

http::Headers outgoing_headers(const http::Headers& sent, const Upstream& upstream,
                               std::string_view credential) {
  http::Headers out;
  out.reserve(sent.size() + 2);
  out.push_back({"Host", upstream.endpoint.authority()});
  const CredentialPlace& place = upstream.credential;
  const bool in_header = place.kind == CredentialPlace::Kind::kHeader;
  for (const http::Header& header : sent) {
    const bool ends_here =
        is_one_of(header.name, kOfTheConnection) || is_nominated(sent, header.name) ||
        is_one_of(header.name, kCredentials) || equals_ignoring_case(header.name, "Host") ||
        equals_ignoring_case(header.name, "Expect") ||
        (in_header && equals_ignoring_case(header.name, place.name));
    if (!ends_here) out.push_back(header);
  }
  if (in_header) out.push_back({place.name, place.prefix + std::string(credential)});
  if (wants_websocket(sent)) out.push_back({"Upgrade", "websocket"});
  return out;
}

std::string outgoing_target(const Passage& passage, std::string_view credential) {
  const CredentialPlace& place = passage.upstream->credential;
  if (place.kind != CredentialPlace::Kind::kQuery) return passage.target;
  const char joint = passage.target.find('?') == std::string::npos ? '?' : '&';
  return passage.target + joint + place.name + "=" + percent_encoded(place.prefix) +
         percent_encoded(credential);
}

http::Headers answered_headers(const http::Headers& received) {
  http::Headers out;
  out.reserve(received.size());
  for (const http::Header& header : received) {
    if (!is_one_of(header.name, kOfTheConnection) && !is_nominated(received, header.name)) {
      out.push_back(header);
    }
  }
  return out;
}

}  // namespace relay::egress
