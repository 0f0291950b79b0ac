#include "http/client.hpp"

#include <fmt/format.h>

#include <charconv>

namespace relay::http {

namespace {

Error bad_url(std::string_view url, std::string_view why) {
  return make_error(ErrorType::kInvalidParams,
                    fmt::format("\"{}\" is not an address: {}", url, why))
      .suggest("Write http://host:port, https://host:port or unix:///path/to/socket.");
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view url) {
  Endpoint out;
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos) return bad_url(url, "it has no scheme");
  const std::string_view scheme = url.substr(0, mark);
  std::string_view rest = url.substr(mark + 3);
  if (scheme == "unix") {
    out.transport = Transport::kUnix;
    out.socket_path = rest;
    if (!rest.starts_with('/')) return bad_url(url, "a socket's path is absolute");
    if (rest.size() > 107) return bad_url(url, "a socket's path has at most 107 bytes");
    return out;
  }
  if (scheme != "http" && scheme != "https") return bad_url(url, "the scheme is unknown");
  out.transport = scheme == "https" ? Transport::kTls : Transport::kTcp;
  out.port = scheme == "https" ? 443 : 80;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return bad_url(url, "only host and port may follow the scheme");
  }
  if (rest.find('@') != std::string_view::npos) {
    return make_error(ErrorType::kInvalidParams, "an address must not hold a user or a password")
        .suggest("Give credentials in a header or a token file.");
  }
  std::size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad_url(url, "the ] of an IPv6 address is missing");
    out.host = rest.substr(1, end - 1);
    rest = rest.substr(end + 1);
    colon = rest.empty() ? std::string_view::npos : 0;
    if (!rest.empty() && rest.front() != ':') return bad_url(url, "text follows the host");
  } else {
    out.host = rest.substr(0, colon);
  }
  if (out.host.empty()) return bad_url(url, "it has no host");
  if (colon != std::string_view::npos) {
    const std::string_view digits = rest.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (error != std::errc() || end != digits.data() + digits.size() || out.port == 0) {
      return bad_url(url, "the port is a number from 1 to 65535");
    }
  }
  return out;
}

std::string Endpoint::to_string() const {
  if (transport == Transport::kUnix) return "unix://" + socket_path;
  const bool is_v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", transport == Transport::kTls ? "https" : "http",
                     is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

std::string Endpoint::authority() const {
  if (transport == Transport::kUnix) return "localhost";
  const std::string url = to_string();
  std::string out = url.substr(url.find("://") + 3);
  if (port == (transport == Transport::kTls ? 443 : 80)) out.erase(out.rfind(':'));
  return out;
}

}  // namespace relay::http
