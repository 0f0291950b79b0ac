#include "config/upstream_url.hpp"

#include <charconv>
#include <cstdint>

namespace relay::config {
namespace {

constexpr std::size_t kLongestUrl = 2048;
constexpr std::string_view kOfNames =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
constexpr std::string_view kOfAddresses = "abcdefABCDEF0123456789:.";
constexpr std::string_view kOfPaths =
    "/-._~!$&'()*+,;=:@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool has_only(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

bool is_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  return error == std::errc{} && stop == end && port != 0;
}

std::string problem_of_path(std::string_view path) {
  if (path.find_first_not_of(kOfPaths) != std::string_view::npos)
    return "its path has a character that an address has to escape";
  for (const std::string_view part : {"//", "/./", "/../"}) {
    if ((std::string(path) + "/").find(part) != std::string::npos)
      return "its path has an empty segment, or . or ..";
  }
  return {};
}

// Splits "host[:port]".
std::string read_authority(std::string_view authority, UpstreamUrl& out) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return "the ] of an IPv6 address is missing";
    out.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!has_only(out.host, kOfAddresses)) return "what stands in [] is no IPv6 address";
  } else {
    const auto colon = authority.find(':');
    out.host = authority.substr(0, colon);
    port = colon == std::string_view::npos ? "" : authority.substr(colon);
    if (out.host.empty()) return "it has no host";
    if (!has_only(out.host, kOfNames)) return "its host is neither a name nor an address";
  }
  if (port.empty()) return {};
  if (port.front() != ':' || !is_port(port.substr(1))) return "its port is no number up to 65535";
  return {};
}

}  // namespace

UpstreamUrl parse_upstream_url(std::string_view url) {
  UpstreamUrl out;
  const auto refuse = [&](std::string problem) {
    out.problem = std::move(problem);
    return out;
  };
  if (url.empty()) return refuse("it is missing");
  if (url.size() > kLongestUrl) return refuse("it is longer than 2048 bytes");
  const auto mark = url.find("://");
  const std::string_view scheme = mark == std::string_view::npos ? "" : url.substr(0, mark);
  if (scheme != "http" && scheme != "https")
    return refuse("it begins neither with https:// nor with http://");
  out.secure = scheme == "https";
  const std::string_view rest = url.substr(mark + 3);
  if (rest.find_first_of("?#") != std::string_view::npos)
    return refuse("it has a query or a fragment");
  const auto slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) return refuse("it has a user or a password");
  if (path.ends_with('/')) path.remove_suffix(1);
  std::string problem = read_authority(authority, out);
  if (problem.empty()) problem = problem_of_path(path);
  out.origin = std::string(scheme) + "://" + std::string(authority);
  out.base_path = path;
  return refuse(std::move(problem));
}

}  // namespace relay::config
