#include "cli/egress_question.hpp"

#include <algorithm>

namespace relay::cli {
namespace {

struct SplitUrl {
  std::string_view origin;  // "https://api.example.com"
  std::string_view rest;    // "/v1?a=b", or empty
};

SplitUrl split(std::string_view url) {
  constexpr std::string_view kBeforeHost = "://";
  const std::size_t scheme = url.find(kBeforeHost);
  const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + kBeforeHost.size();
  const std::size_t end = std::min(url.find_first_of("/?", host), url.size());
  return {url.substr(0, end), url.substr(end)};
}

// What is behind `base` in `rest`, when it is below it.
std::optional<std::string_view> below(std::string_view base, std::string_view rest) {
  if (!rest.starts_with(base)) return std::nullopt;
  rest.remove_prefix(base.size());
  if (!rest.empty() && rest.front() != '/' && rest.front() != '?') return std::nullopt;
  return rest;
}

bool is_same(const http::Endpoint& one, const http::Endpoint& other) {
  return one.transport == other.transport && one.host == other.host && one.port == other.port;
}

bool is_loopback(const std::string& host) { return host == "127.0.0.1" || host == "localhost"; }

}  // namespace

std::optional<std::string> asked_target(std::string_view url,
                                        std::span<const egress::Upstream> upstreams,
                                        std::uint16_t port) {
  if (url.starts_with('/')) return std::string(url);
  const SplitUrl parts = split(url);
  const Result<http::Endpoint> endpoint = http::Endpoint::parse(parts.origin);
  if (!endpoint || endpoint->transport == http::Endpoint::Transport::kUnix) return std::nullopt;
  const egress::Upstream* meant = nullptr;
  std::string_view behind;
  for (const egress::Upstream& upstream : upstreams) {
    if (!is_same(upstream.endpoint, *endpoint)) continue;
    const auto found = below(upstream.base_path, parts.rest);
    const bool is_longer = meant == nullptr || upstream.base_path.size() > meant->base_path.size();
    if (!found || !is_longer) continue;
    meant = &upstream;
    behind = *found;
  }
  if (meant != nullptr) return "/" + meant->name + std::string(behind);
  const bool is_relay = endpoint->transport == http::Endpoint::Transport::kTcp &&
                        is_loopback(endpoint->host) && endpoint->port == port;
  if (!is_relay) return std::nullopt;
  return parts.rest.empty() ? "/" : std::string(parts.rest);
}

std::string_view origin_of(std::string_view url) { return split(url).origin; }

}  // namespace relay::cli
