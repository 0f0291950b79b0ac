#include "egress/outgoing_headers.hpp"

#include "egress/hidden_secret.hpp"
#include "egress/request_target.hpp"
#include "egress/withheld.hpp"
#include "http/header_fields.hpp"

#include <algorithm>
#include <vector>

namespace relay::egress {
namespace {

using http::equals_ignoring_case;

constexpr std::string_view kProtocols = "sec-websocket-protocol";

std::vector<std::string_view> items_of(std::string_view list) {
  std::vector<std::string_view> items;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    items.push_back(http::trimmed(list.substr(begin, end - begin)));
    begin = end + 1;
  }
  return items;
}

// Named in Connection, so these end here, too; sorted.
std::vector<std::string> nominated(const http::Headers& headers) {
  std::vector<std::string> names;
  for (const http::Header& header : headers) {
    if (!equals_ignoring_case(header.name, "Connection")) continue;
    for (const std::string_view item : items_of(header.value)) names.push_back(plain_name(item));
  }
  std::ranges::sort(names);
  return names;
}

// Those of `from` that may go out with a request whose head is `sent`.
http::Headers allowed_out(const http::Headers& from, const http::Headers& sent,
                          const CredentialPlace& place, AnswerForm form) {
  const std::vector<std::string> ending_here = nominated(sent);
  const bool in_header = place.kind == CredentialPlace::Kind::kHeader;
  const std::string own = in_header ? plain_name(place.name) : std::string();
  http::Headers out;
  out.reserve(from.size() + 3);
  for (const http::Header& header : from) {
    const std::string name = plain_name(header.name);
    const bool ends_here = is_withheld_header(name) || name == own ||
                           std::ranges::binary_search(ending_here, name) ||
                           (form == AnswerForm::kReadable && is_header_that_hides_usage(name));
    if (!ends_here) out.push_back(header);
  }
  return out;
}

std::string without_withheld_items(std::string_view protocols) {
  std::string out;
  for (const std::string_view item : items_of(protocols)) {
    if (item.empty() || is_withheld_protocol(item)) continue;
    if (!out.empty()) out += ", ";
    out += item;
  }
  return out;
}

// `name` is a plain one.
bool is_called(const http::Header& header, std::string_view name) {
  return header.name.size() == name.size() && plain_name(header.name) == name;
}

void clean_protocols(http::Headers& headers) {
  for (http::Header& header : headers) {
    if (is_called(header, kProtocols)) header.value = without_withheld_items(header.value);
  }
  std::erase_if(headers, [](const auto& header) {
    return header.value.empty() && is_called(header, kProtocols);
  });
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
                               std::string_view credential, AnswerForm form) {
  const CredentialPlace& place = upstream.credential;
  http::Headers out = allowed_out(sent, sent, place, form);
  out.insert(out.begin(), http::Header{"Host", upstream.endpoint.authority()});
  clean_protocols(out);
  if (form == AnswerForm::kReadable) out.push_back({"Accept-Encoding", "identity"});
  if (place.kind == CredentialPlace::Kind::kHeader) {
    out.push_back({place.name, place.prefix + std::string(credential)});
  }
  if (wants_websocket(sent)) out.push_back({"Upgrade", "websocket"});
  return out;
}

http::Headers outgoing_trailers(const http::Headers& trailers, const http::Headers& sent,
                                const Upstream& upstream, AnswerForm form) {
  return allowed_out(trailers, sent, upstream.credential, form);
}

std::string outgoing_target(const Passage& passage, std::string_view credential, AnswerForm form) {
  const bool is_readable = form == AnswerForm::kReadable;
  std::string target = is_readable ? without_hidden_usage(passage.target) : passage.target;
  const CredentialPlace& place = passage.upstream->credential;
  if (place.kind != CredentialPlace::Kind::kQuery) return target;
  const char joint = target.find('?') == std::string::npos ? '?' : '&';
  return target + joint + place.name + "=" + percent_encoded(place.prefix) +
         percent_encoded(credential);
}

http::Headers answered_headers(const http::Headers& received, std::string_view credential) {
  const std::vector<std::string> ending_here = nominated(received);
  http::Headers out;
  out.reserve(received.size());
  for (const http::Header& header : received) {
    const std::string name = plain_name(header.name);
    const bool ends_here = is_of_the_connection(name) || name.starts_with("set-cookie") ||
                           std::ranges::binary_search(ending_here, name);
    if (ends_here) continue;
    out.push_back(header);
    hide_secret(out.back().value, credential);
  }
  return out;
}

}  // namespace relay::egress
